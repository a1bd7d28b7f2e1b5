//! What completes a line that is being typed: hosts and contexts. Quick, and silent where there are
//! none.

use std::collections::BTreeSet;
use std::time::Duration;

use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};

use super::runtime;
use crate::contexts::Contexts;

/// Longest wait for a host: whoever presses a key waits for it.
pub(super) const PATIENCE: Duration = Duration::from_millis(300);

/// Hosts of this user.
pub(super) fn hosts() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let found = async { Ok(trellis_app::hosts(PATIENCE).await.0) };
        let found = runtime::block_on(found).unwrap_or_default();
        candidates(found.into_iter().map(|(_, host)| host.name).collect())
    })
}

/// Contexts.
pub(super) fn contexts() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let contexts = Contexts::load().unwrap_or_default().contexts;
        candidates(contexts.into_keys().collect())
    })
}

/// Each once, in order. What a shell would not take as it is, is not offered: names come from a
/// host, and what follows a `;` in one would be run by whoever presses Enter.
pub(super) fn candidates(names: Vec<String>) -> Vec<CompletionCandidate> {
    let names: BTreeSet<_> = names.into_iter().filter(|name| is_plain(name)).collect();
    names.into_iter().map(CompletionCandidate::new).collect()
}

/// True for a word that means itself in every shell.
fn is_plain(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._:/@+-".contains(c);
    !name.is_empty() && !name.starts_with('-') && name.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_of_a_host_is_a_command() {
        for plain in ["counter", "wascc:keyvalue", "localhost:5000/a/b:v1", "a@1.2+3"] {
            assert!(is_plain(plain), "{plain}");
        }
        for other in ["", "-rf", "a;touch${IFS}b", "a b", "`a`", "$a", "a'", "~", "a\n", "ä", "a=b"]
        {
            assert!(!is_plain(other), "{other}");
        }
    }
}
