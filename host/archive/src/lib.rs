//! Provider archives (`.par`): a signed provider as one file.
//!
//! An archive is a tar, compressed with gzip or not. Its first entry is `claims.jwt`, the token of
//! a provider; each other entry is a program, `<arch>-<os>.bin`, whose SHA-256 the token names.
//! The form is that of waSCC and wasmCloud.
//!
//! [`verify()`] is what a host asks before anything of an archive runs. It reads from front to
//! back: signature, time and trust are checked before the first byte of a program is unpacked, and
//! every size before anything is set aside for it. [`seal()`] writes what it reads, the same bytes
//! for the same content, and [`inspect()`] says for people what is in an archive.
//!
//! Read strictly: an entry is a plain file with one of those names, once. So there are no paths, no
//! links and no extensions to unpack wrongly; and what follows the end is refused.
//!
//! **Deliberately absent:** files, the cache, and what a program does.

mod bounds;
mod inspect;
mod program;
mod reader;
mod seal;
mod source;
mod target;
mod verify;
mod write;

pub use inspect::{Inspection, inspect};
pub use program::{Program, Programs, check_hash};
pub use seal::{seal, take_apart};
pub use target::Target;
pub use verify::{Verified, verify};
pub use write::{Contents, Form};
