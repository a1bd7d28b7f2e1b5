//! Bindings that go over to another kind of provider, which does not see what the one before keeps.
//!
//! A store itself tells of a binding that comes from another store of its kind. Of another kind it
//! knows nothing: only here both are known by name.

use trellis_manifest::Problem;

use super::bindings::Written;
use super::known::{LastRuns, Stores};
use super::providers::Providers;
use super::warning::Warning;

/// Most bindings that are told of by name.
const TOLD_MAX: usize = 20;

/// Notes in `runs` which kinds of providers keep the data of actors.
pub(super) fn note(runs: &mut LastRuns, bindings: &[Written<'_>], providers: &Providers) {
    for binding in bindings.iter().map(|written| &written.binding) {
        let kind = providers.get(&binding.provider).map(|provider| &provider.descriptor);
        let (Some(run), Some(kind)) = (runs.get_mut(&*binding.actor), kind) else { continue };
        if kind.stateful {
            let of_contract = run.stores.entry(binding.contract.id.to_string()).or_default();
            of_contract.insert(binding.name.to_string(), kind.name.to_string());
        }
    }
}

/// Says of each binding that another kind of provider served `before`.
pub(super) fn warnings(
    bindings: &[Written<'_>],
    runs: &LastRuns,
    before: &LastRuns,
) -> Vec<Warning> {
    let warning = |Written { binding, span, .. }: &Written<'_>| {
        let (actor, contract, name) = binding.identity();
        let kind = |stores: &Stores| stores.get(contract)?.get(name).cloned();
        let now = kind(&runs.get(actor)?.stores)?;
        let old = kind(&before.get(actor)?.stores)?;
        let message = format!(
            "the binding of `{actor}` to {contract} goes over from {old} to {now}: what it has \
             stays behind, and it begins with what the new store holds for it, if anything"
        );
        let help = format!(
            "to go on with what it has, bind it to {old} again, with the values of before; what \
             was in memory alone ends with its provider"
        );
        (now != old).then(|| Warning::of_change(Problem::new(*span, message).help(help)))
    };
    let mut told: Vec<_> = bindings.iter().filter_map(warning).collect();
    if let Some(more) = told.get(TOLD_MAX) {
        let count = told.len() - TOLD_MAX;
        let message = format!(
            "and {count} more bindings go over to another kind of provider, not named here"
        );
        let more = Warning::of_change(Problem::new(more.problem.span, message));
        told.truncate(TOLD_MAX);
        told.push(more);
    }
    told
}
