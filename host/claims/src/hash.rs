//! Does the module hold the bytes that were signed?
//!
//! The hash is SHA-256, written as upper-case hex, over the file with the claims section cut out.
//! Two forms of "cut out" are accepted:
//!
//! 1. Byte-exact: every byte before the section. This is what all tools left behind, because wascap
//!    rewrote the module into the form it hashed: all 99 signed modules of 2019 to 2024 that were
//!    looked at verify so.
//! 2. Re-encoded: the same, with the size of every section written as the shortest LEB128, as
//!    wascap 0.9 and later compute it when they verify. It differs from form 1 only when a tool
//!    padded sizes after signing. It counts only for core modules whose token says
//!    `wascap_revision` 2 or less, or nothing, and it lets no byte of any section's contents
//!    change.
//!
//! wascap 0.8 and earlier compared the module as `parity-wasm` would write it again. Form 1 covers
//! what those versions signed; a module that a later tool rewrote otherwise is refused.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};
use trellis_core::Code;

use crate::error::ClaimsError;
use crate::section::{self, ClaimsSection};

/// The highest revision whose hash may be of the re-encoded form; from 3 on it is byte-exact here.
const REENCODED_REVISION_MAX: u32 = 2;

/// The digests of one module, from one pass over it.
pub(crate) struct Digests {
    /// SHA-256 of the whole file.
    pub(crate) file: [u8; 32],
    /// SHA-256 of what stands before the claims section; of the whole file without one.
    pub(crate) cut: [u8; 32],
}

impl Digests {
    /// Hashes `module`, whose claims section starts at `cut_at`.
    pub(crate) fn of(module: &[u8], cut_at: usize) -> Self {
        let mut state = Sha256::new();
        state.update(&module[..cut_at]);
        let cut = state.clone().finalize().into();
        state.update(&module[cut_at..]);
        Self { file: state.finalize().into(), cut }
    }

    /// Checks the hash the claims name.
    pub(crate) fn check(
        &self,
        module: &[u8],
        section: &ClaimsSection<'_>,
        claimed: &str,
        revision: Option<u32>,
    ) -> Result<(), ClaimsError> {
        if hex(&self.cut) == claimed {
            return Ok(());
        }
        let may_be_reencoded = revision.unwrap_or(0) <= REENCODED_REVISION_MAX;
        if may_be_reencoded && reencoded(&module[..section.start]).as_deref() == Some(claimed) {
            return Ok(());
        }
        let message = "the module's bytes are not those that were signed";
        Err(ClaimsError::new(Code::Hash, message))
    }
}

/// SHA-256 of a whole file, as [`crate::Verified::digest`] gives it: to make sure that bytes read
/// again are the bytes that were verified.
#[must_use]
pub fn digest(file: &[u8]) -> [u8; 32] {
    Sha256::digest(file).into()
}

/// Upper-case hex, as claims write hashes.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02X}").expect("writing to a string cannot fail");
        text
    })
}

/// The hash of form 2; `None` for a component, whose nested modules wascap re-encoded as well.
fn reencoded(module: &[u8]) -> Option<String> {
    let sections = section::top_level(module).ok().filter(|_| section::is_core(module))?;
    let mut state = Sha256::new();
    state.update(&module[..section::HEADER_BYTES]);
    for section in sections {
        state.update(section.minimal_header());
        state.update(&module[section.contents]);
    }
    Some(hex(&state.finalize()))
}
