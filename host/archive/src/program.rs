//! The programs in an archive.

use std::collections::BTreeMap;

use trellis_claims::hash::hex;
use trellis_claims::token::Provider;
use trellis_core::{CallError, Code};

use crate::target::Target;

/// One program that was read to its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Program {
    /// Its size, in bytes.
    pub bytes: u64,
    /// SHA-256 of it.
    pub digest: [u8; 32],
    /// The program itself, if it was wanted.
    pub content: Option<Vec<u8>>,
}

/// The programs of an archive by their platforms.
pub type Programs = BTreeMap<Target, Program>;

/// Checks that claims vouch for a program.
///
/// # Errors
/// [`Code::Hash`] when they name no program for that platform, or another one.
pub fn check_hash(claims: &Provider, target: &Target, program: &Program) -> Result<(), CallError> {
    let text = match claims.target_hashes.get(target.as_str()) {
        Some(claimed) if *claimed == hex(&program.digest) => return Ok(()),
        Some(_) => format!("the program for {target} is not the one that was signed"),
        None => format!("the claims name no program for {target}: nobody vouches for it"),
    };
    Err(CallError::new(Code::Hash, text))
}

/// Platforms as part of a sentence.
pub(crate) fn listed<'a>(targets: impl IntoIterator<Item = &'a str>) -> String {
    let targets: Vec<_> = targets.into_iter().collect();
    if targets.is_empty() { "none".to_owned() } else { targets.join(", ") }
}
