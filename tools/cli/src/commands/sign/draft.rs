//! The options of `trellis sign` to the claims they ask for.

use std::collections::{BTreeMap, BTreeSet};

use trellis_claims::{ClaimsDraft, PublicKey};

use super::args::SignArgs;
use crate::failure::Failure;

/// Everything in the claims that names something else.
#[derive(Default, Debug)]
pub(super) struct Names {
    /// Contracts it may use, each once.
    pub(super) caps: Vec<String>,
    /// Single operations of some of them.
    pub(super) grants: BTreeMap<String, Vec<String>>,
    /// Actors it may call.
    pub(super) calls: Vec<String>,
    /// What other actors call it.
    pub(super) call_alias: Option<String>,
}

impl Names {
    /// The names that the options hold.
    ///
    /// # Errors
    /// When a seed stands where a name should.
    pub(super) fn of(args: &SignArgs) -> Result<Self, Failure> {
        let mut caps = args.standard.contracts();
        caps.extend(args.caps.iter().cloned());
        caps.extend(args.grants.iter().map(|grant| grant.contract.clone()));
        let mut seen = BTreeSet::new();
        caps.retain(|cap| !cap.is_empty() && seen.insert(cap.clone()));
        let mut grants = BTreeMap::<_, Vec<String>>::new();
        for grant in &args.grants {
            let operations = grants.entry(grant.contract.clone()).or_default();
            operations.extend(grant.operations.iter().cloned());
        }
        for callee in &args.calls {
            trellis_keystore::refuse_seed(callee)?;
        }
        Ok(Self { caps, grants, calls: args.calls.clone(), call_alias: args.call_alias.clone() })
    }
}

/// What the claims will say; `now` is in seconds since 1970.
///
/// # Errors
/// As [`Lifetime::window`](crate::terms::Lifetime::window).
pub(super) fn draft(
    args: &SignArgs,
    names: Names,
    subject: PublicKey,
    name: String,
    now: u64,
) -> Result<ClaimsDraft, Failure> {
    let window = args.lifetime.window(now)?;
    Ok(ClaimsDraft {
        name: Some(name),
        caps: names.caps,
        grants: names.grants,
        calls: names.calls,
        call_alias: names.call_alias,
        tags: args.tags.clone(),
        revision: args.revision,
        version: args.version.clone(),
        provider: args.provider,
        expires: window.expires,
        not_before: window.not_before,
        ..ClaimsDraft::new(subject)
    })
}
