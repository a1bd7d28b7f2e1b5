//! Artifacts: from a reference in a manifest to a digest, and to bytes when they are needed.
//!
//! What a text names is a file or an [`Image`] in a registry ([`Named`]). [`Registries::fetch`]
//! brings an image into the cache of this machine; from then on it is read as a file is.
//!
//! [`Artifacts::examine`] takes every reference of a manifest at once. What did not change since
//! the last time is not read again: a file is known by its [`Stamp`], so the cost of a reload
//! follows the change. What is new is read within its bound on a thread that may block, and handed
//! to the caller's examination once per content.
//!
//! The kinds of references are one closed enum, [`Reference`]. A new kind brings a way to tell
//! "unchanged" cheaply and a way to read bytes, and nothing else changes.
//!
//! A program that came inside an artifact is kept by its digest in a [`ProgramCache`], to be run
//! from there.
//!
//! **Deliberately absent:** claims, trust, WebAssembly. The caller brings the examination and gets
//! its result back as the artifact's proof.

mod artifacts;
mod blob;
mod credentials;
mod digest;
mod executable;
mod file;
pub mod hint;
mod image;
mod image_kind;
mod imprint;
mod named;
mod programs;
mod readers;
mod reference;
mod registries;
mod registry;
mod stamp;
mod store;
mod turns;

pub use artifacts::{Artifact, Artifacts, Wanted};
pub use blob::Blob;
pub use credentials::{Credentials, Login};
pub use digest::{Digest, digest_of, parse_digest, written_digest};
pub use executable::{EXECUTABLE_HEAD_BYTES, Executable};
pub use file::read_bounded;
pub use image::{Image, is_registry};
pub use image_kind::ImageKind;
pub use imprint::Imprint;
pub use named::{Named, is_like_an_image};
pub use programs::{KeptProgram, ProgramCache, is_program};
pub use reference::Reference;
pub use registries::{Fetch, Fetched, Registries};
pub use registry::push::{Package, Pushed};
pub use stamp::Stamp;
