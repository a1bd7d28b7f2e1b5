//! Call aliases that several actors have: whom calls by them reach now.

use std::collections::BTreeMap;
use std::sync::Arc;

use trellis_entitlements::looks_like_a_contract;

use crate::actual::{ActualState, RunningActor};

/// What there is to say of each: what it is, and why that may not be meant.
pub(crate) fn shared(actual: &ActualState) -> Vec<(String, String)> {
    let mut claimants: BTreeMap<&str, Vec<&RunningActor>> = BTreeMap::new();
    for actor in actual.actors.values() {
        if let Some(alias) = actor.verified().claims().call_alias.as_deref() {
            claimants.entry(alias).or_default().push(actor);
        }
    }
    // A name of the manifest comes before every alias, and nobody is called by a contract's.
    let leads = |alias: &str| !actual.actors.contains_key(alias) && !looks_like_a_contract(alias);
    let told = claimants.into_iter().filter(|(alias, of)| of.len() > 1 && leads(alias));
    let row = |(alias, claimants): (&str, Vec<&RunningActor>)| {
        let holder = actual.road.entitlements.answers_to(alias)?;
        let holder = claimants.iter().find(|actor| actor.id == holder)?;
        let name = |actor: &RunningActor| format!("`{}`", Arc::clone(&actor.prepared.name));
        let names: Vec<_> = claimants.iter().map(|actor| name(actor)).collect();
        let why = format!(
            "actors {} have it, and calls by it go to {}; sign one of them with another \
             `--call-alias`",
            names.join(" and "),
            name(holder)
        );
        Some((format!("call alias `{alias}`"), why))
    };
    told.filter_map(row).collect()
}
