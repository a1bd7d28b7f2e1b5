//! The user's keys: one file per key, `<name>_<kind>.nk`, readable by its owner only.
//!
//! The folder is `$TRELLIS_KEYS`, else `$XDG_CONFIG_HOME/trellis/keys`, else
//! `~/.config/trellis/keys`. A file holds the seed and nothing else (the habit of `wash`, whose
//! files can be copied here). `host` takes its default trust from it, `trellis` signs with it.
//!
//! The modules in reading order: [`KeyName`] and `seed` (what names a key and what is one),
//! [`destination`] (how a file is written), `seed_file` (files that hold a seed), `folder`, and
//! [`Keystore`] (the folder as a whole).
//!
//! **Deliberately absent:** what keys are used for, and every way for a seed to leave its file
//! other than as a [`KeyPair`](trellis_claims::KeyPair).

pub mod destination;
mod error;
mod folder;
mod keystore;
mod name;
mod seed;
mod seed_file;

pub use error::KeystoreError;
pub use keystore::{DIR_VARIABLE, Entry, Keystore, StoredKey};
pub use name::{DEFAULT_NAME, KeyName};
pub use seed::{parse_seed, refuse_seed};
pub use seed_file::{Access, Stored, read_seed_file, write_seed_file};
