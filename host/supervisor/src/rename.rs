//! Providers that are wanted under another name.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use trellis_entitlements::TargetId;

use crate::actual::ActualState;
use crate::border::{self, Instance};
use crate::desired::{Bound, Inventory, Wanted};
use crate::prepare::PreparedProvider;

/// The providers that get another name: the one that they have, and the one that they get.
///
/// It is the same provider when the old name is not wanted any more, and a new one is of the same
/// kind and is to have a binding of the old one, or what only one instance can hold. So what it
/// keeps stays, and nothing that is bound to it has to move.
pub(crate) fn renames<'a>(wanted: Wanted<'a>, running: &Inventory<'a>) -> Vec<(&'a str, &'a str)> {
    let stays: HashSet<_> = wanted.providers().map(|provider| &*provider.name).collect();
    let known = running.providers.iter().chain(&running.broken);
    let known: HashSet<_> = known.map(|provider| &*provider.name).collect();
    let running_ones = running.providers.iter().copied();
    let gone: Vec<_> = running_ones.filter(|it| !stays.contains(&*it.name)).collect();
    let mut new: Vec<_> = wanted.providers().filter(|it| !known.contains(&*it.name)).collect();
    if gone.is_empty() || new.is_empty() {
        return Vec::new();
    }
    let moves = moves(wanted, running);
    let mut renames = Vec::new();
    for old in gone {
        let follows = |new: &PreparedProvider| {
            let moves = moves.contains(&(&*old.name, &*new.name));
            old.is_kind_of(new) && (moves || !border::contested(old, new).is_empty())
        };
        if let Some(at) = new.iter().position(|new| follows(new)) {
            renames.push((&*old.name, &*new.remove(at).name));
        }
    }
    renames
}

/// From which provider to which a binding is to lead.
fn moves<'a>(wanted: Wanted<'a>, running: &Inventory<'a>) -> BTreeSet<(&'a str, &'a str)> {
    let moved = |bound: &Bound<'a>| {
        let next = &wanted.prepared.bindings[wanted.place_of_binding(bound.binding)?];
        Some((&*bound.binding.provider, &*next.provider))
    };
    running.bindings.iter().filter_map(moved).collect()
}

impl ActualState {
    /// Gives a provider another name, to its bindings too; gives its instance under that name.
    pub(crate) fn rename_provider(
        &mut self,
        was: &str,
        name: &Arc<str>,
    ) -> Option<(TargetId, Instance)> {
        let mut running = self.providers.remove(was)?;
        running.prepared.name = Arc::clone(name);
        let target = running.target;
        self.providers.insert(Arc::clone(name), running);
        for binding in self.bindings.values_mut().filter(|one| one.spec.target == target) {
            binding.prepared.provider = Arc::clone(name);
        }
        self.left.rename(was, name);
        let instance = self.instances.get(&target)?;
        instance.rename(name);
        Some((target, instance.clone()))
    }
}
