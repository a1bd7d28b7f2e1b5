//! What completes a line that is being typed: hosts and contexts. Quick, and silent where there are
//! none.

use std::collections::BTreeSet;
use std::time::Duration;

use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};

use super::runtime;
use crate::clean::clean;
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

/// Each once, in order. What a terminal would not show as it is, is not offered.
pub(super) fn candidates(names: Vec<String>) -> Vec<CompletionCandidate> {
    let names: BTreeSet<_> = names.into_iter().filter(|name| clean(name) == **name).collect();
    names.into_iter().map(CompletionCandidate::new).collect()
}
