//! Providers that exchange what only one instance can hold: each wants what another one has, which
//! has it until it is replaced itself. One after the other, they would wait for one another for
//! ever.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::border;
use crate::prepare::PreparedProvider;

/// A provider that runs, and the one that is to take its place.
pub(crate) type Replaced<'a> = (&'a PreparedProvider, &'a PreparedProvider);

/// The settings over which each of these waits for another one, which waits for it in turn; by the
/// index.
pub(crate) fn contested(replaced: &[Replaced<'_>]) -> BTreeMap<usize, Vec<String>> {
    let mut waits = waits(replaced);
    loop {
        let wanted: BTreeSet<_> = waits.values().flat_map(BTreeMap::keys).copied().collect();
        let known: BTreeSet<_> = waits.keys().copied().collect();
        let before = waits.len();
        // Whoever waits for nobody goes on, and then nobody has to wait for it.
        for others in waits.values_mut() {
            others.retain(|other, _| known.contains(other));
        }
        waits.retain(|one, others| wanted.contains(one) && !others.is_empty());
        if waits.len() == before {
            break;
        }
    }
    let keys = |others: BTreeMap<usize, String>| others.into_values().collect();
    waits.into_iter().map(|(one, others)| (one, keys(others))).collect()
}

/// All of these: those together that exchange something, and each of the others alone.
pub(crate) fn groups(replaced: &[Replaced<'_>]) -> Vec<Vec<usize>> {
    let exchanging = contested(replaced);
    let waits = waits(replaced);
    let mut groups: Vec<BTreeSet<usize>> = Vec::new();
    for index in 0..replaced.len() {
        let mut group = BTreeSet::from([index]);
        if exchanging.contains_key(&index) {
            let others = waits.get(&index).into_iter().flat_map(BTreeMap::keys);
            group.extend(others.filter(|other| exchanging.contains_key(other)));
        }
        let (meet, apart): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|known| !known.is_disjoint(&group));
        groups = apart;
        group.extend(meet.into_iter().flatten());
        groups.push(group);
    }
    groups.into_iter().map(|group| group.into_iter().collect()).collect()
}

/// For each that wants what another one holds: these, with the setting.
fn waits(replaced: &[Replaced<'_>]) -> BTreeMap<usize, BTreeMap<usize, String>> {
    let mut holders = HashMap::new();
    for (index, (old, _)) in replaced.iter().enumerate() {
        for (key, value) in border::held(old) {
            holders.insert((&*old.descriptor.name, key, value), index);
        }
    }
    let mut waits: BTreeMap<usize, BTreeMap<usize, String>> = BTreeMap::new();
    for (index, (_, new)) in replaced.iter().enumerate() {
        for (key, value) in border::held(new) {
            let holder = holders.get(&(&*new.descriptor.name, key, value));
            if let Some(holder) = holder.filter(|holder| **holder != index) {
                waits.entry(index).or_default().insert(*holder, key.to_owned());
            }
        }
    }
    waits
}
