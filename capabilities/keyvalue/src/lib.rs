//! The `wascc:keyvalue` contract: values, counters, lists and sets under keys.
//!
//! [`keyvalue.wit`](https://component-model.bytecodealliance.org/design/wit.html) beside this crate
//! is the source of every type here, and documents each operation. These rules hold for all of
//! them; a provider is right when the conformance suite finds it so.
//!
//! # Keys and what they hold
//! - A key is any string, the empty one too. It holds one of three kinds: a **string**, a **list**
//!   of strings, or a **set** of strings; or it does not exist. Strings are UTF-8 and may hold any
//!   character, NUL included; they are compared byte by byte, with no normalization.
//! - A **counter** is a string that is a decimal integer of 32 bits in its shortest form: `0`,
//!   `42`, `-7`; not `007`, `+1`, `-0`, ` 1`, the empty string, or anything outside
//!   `-2147483648..=2147483647`. `Set` may therefore set a counter and `Get` read one.
//! - A list or set that has lost its last element does not exist: `KeyExists` says false, and the
//!   key is free for another kind.
//! - An operation for one kind fails with `E_WRONG_TYPE` on a key that holds another, and changes
//!   nothing. `Set`, `Del` and `KeyExists` take any kind; only `Set` replaces one kind by another.
//!
//! # Whose keys
//! - An actor sees its own keys: the same ones through all of its bindings to a store, and no other
//!   actor's. They are its own by its key, not by its name: an actor that is signed with a new
//!   module key begins with an empty store.
//! - A binding that gives a `NAMESPACE` sees the keys of that name instead, together with every
//!   other binding that gives it; one that says `SHARED: true` sees those of every other binding
//!   that says so. Where both stand, the name wins. (`NAMESPACE` with an actor's former key is how
//!   its data is found again.)
//! - In the manifests of waSCC 0.14 and wasmCloud 0.18 key-value providers say `SHARED: true`
//!   unless their values say otherwise: those hosts had one set of keys for all actors.
//! - No key reaches from one of these keyspaces into another, whatever characters it holds.
//! - A store that is a server of its own holds shared keys under the names they have, and others
//!   under names that no shared key has; whoever else uses that server sees them all.
//!
//! # Order
//! - A list keeps its order. `Push` puts at the head, so position 0 is the newest element.
//! - Members of sets (`SetQuery`, `SetUnion`, `SetIntersection`) are answered in ascending order of
//!   their bytes, each once, so that an answer does not depend on the provider.
//!
//! # Expiry
//! - Only `Set` gives a key an expiry: `expires` seconds from when it was carried out, 0 for none.
//!   From that moment on no operation sees the key; providers may take up to 50 ms longer.
//! - `Add` keeps the expiry the key has; `Set` replaces it (with none when `expires` is 0); a key
//!   that was removed and made again has none. Lists and sets never expire.
//! - An expiry counts wall-clock time and outlives a restart of host or provider.
//!
//! # Atomicity and durability
//! - Every operation happens at once and wholly, or fails and changes nothing. `Add`s from many
//!   actors at once are all counted.
//! - Once an operation is answered, every later operation through any binding to the same store
//!   sees its effect. Whether it outlives a crash is a property of the provider.
//!
//! # Sizes
//! - Counts and positions are 32-bit. A list or set with more than `i32::MAX` elements is not
//!   reachable: an addition that would make one fails with `E_RANGE`.
//! - Keys and values are bounded by `payload_bytes_max`.
//! - One operation is bounded in its keys (`OPERANDS_MAX`), in the elements it looks at and a list
//!   or set may have (`ELEMENTS_MAX`), and in the bytes it answers (`ANSWER_MAX`). What is over
//!   fails with `E_TOO_LARGE` before memory is set aside for it, and changes nothing. `Del`,
//!   `Clear` and `SetRemove` are never refused. Naming a key twice counts twice, and costs once.
//! - An operation ends when its caller no longer waits: a long one gives way to others while it
//!   works.
//!
//! # Errors
//! `E_WRONG_TYPE` and `E_RANGE` as above; `E_MESSAGE` for a request that is malformed or has a
//! negative `expires`; `E_TOO_LARGE` over a bound; `E_PROVIDER` when the server behind the provider
//! cannot be reached or holds something the contract has no word for (a value that is not UTF-8);
//! `E_STORAGE` when the disk fails or the store is full; `E_BUSY` when what a long operation reads
//! changed each time it was read (nothing was done; try again).
//!
//! # Where the originals differed
//! They ignored `expires`, answered the number of elements *changed* in `newCount`, let `Clear`
//! remove any kind, and answered members in no order. Guests of 2021 read the reply of `SetAdd` and
//! `SetRemove` under the key `new_count`, older ones under `newCount`: the reply carries both.
//!
//! **Deliberately absent:** transactions over several keys, scans over keys, watches and binary
//! values: the contract of the originals has none.

mod bounds;
mod set_count;

pub use bounds::{Bounds, Tally};
pub use set_count::SetCount;

trellis_macros::contract! {
    "keyvalue.wit",
    aliases: ["wasmcloud:keyvalue", "wascap:keyvalue"],
    with: { "set-count": SetCount },
}
