//! Artifacts: from a reference in a manifest to a digest, and to bytes when they are needed.
//!
//! [`Artifacts::examine`] takes every reference of a manifest at once. What did not change since
//! the last time is not read again: a file is known by its [`Stamp`], so the cost of a reload
//! follows the change. What is new is read within its bound on a thread that may block, and handed
//! to the caller's examination once per content.
//!
//! The kinds of references are one closed enum, [`Reference`]; the file kind is all there is now. A
//! new kind brings a way to tell "unchanged" cheaply and a way to read bytes, and nothing else
//! changes.
//!
//! A program that came inside an artifact is kept by its digest in a [`ProgramCache`], to be run
//! from there.
//!
//! **Deliberately absent:** claims, trust, WebAssembly. The caller brings the examination and gets
//! its result back as the artifact's proof.

mod artifacts;
mod file;
pub mod hint;
mod programs;
mod readers;
mod reference;
mod stamp;

pub use artifacts::{Artifact, Artifacts, Wanted};
pub use file::read_bounded;
pub use programs::{ProgramCache, is_program};
pub use reference::{Digest, Reference};
pub use stamp::Stamp;
