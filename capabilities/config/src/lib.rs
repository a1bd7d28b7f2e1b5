//! The `trellis:config` contract: the settings an actor is given by the manifest.
//!
//! `config.wit` beside this crate is the source of the types. What an actor has under
//! `values` is read with this contract, and is nobody's business but the actor's: no provider gets
//! it. An actor claims the contract and needs no binding: the host binds it. The rules:
//!
//! - Values are text and read-only, and each actor sees only its own. `${VAR}` in a manifest has
//!   been replaced by then.
//! - A key that the manifest does not give is not an error: `Get` answers nothing. A key with an
//!   empty text is there, and is empty.
//! - A changed manifest changes the answers without starting the actor again; one answer is always
//!   of one manifest. An actor that remembers a value will not see it change.
//!
//! **Deliberately absent:** writing, watching, and types: `"8080"` is a text until the actor reads
//! it as a number. Secrets can be values, but they are in the host's environment then.

trellis_macros::contract! {
    "config.wit",
    aliases: [],
}
