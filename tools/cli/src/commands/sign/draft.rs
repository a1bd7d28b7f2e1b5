//! The options of `trellis sign` to the claims they ask for.

use std::collections::{BTreeMap, BTreeSet};

use trellis_claims::{ClaimsDraft, PublicKey};

use super::args::SignArgs;
use crate::failure::Failure;

const DAY_S: u64 = 24 * 60 * 60;

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
/// Days begin and end at midnight UTC, so that signing twice on one day gives the same claims.
///
/// # Errors
/// When the claims would end before they begin.
pub(super) fn draft(
    args: &SignArgs,
    names: Names,
    subject: PublicKey,
    name: String,
    now: u64,
) -> Result<ClaimsDraft, Failure> {
    if let (Some(end), Some(begin)) = (args.expires_days, args.not_before_days)
        && begin > end
    {
        let message = format!("--nbf {begin} begins after --expires {end} has ended");
        return Err(Failure::usage(message).cure("Give --expires as many days as --nbf, or more."));
    }
    let today = now - now % DAY_S;
    let days = |days: u32| today.saturating_add(u64::from(days) * DAY_S);
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
        expires: args.expires_days.map(|end| days(end.saturating_add(1))),
        not_before: args.not_before_days.map(days),
        ..ClaimsDraft::new(subject)
    })
}
