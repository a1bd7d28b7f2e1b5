//! Which keys of two stores are which. A keyspace may begin with the name of another one, so
//! whoever throws away what one of them holds may mean keys of the other: all of them are compared
//! before anything is touched.

use std::collections::BTreeMap;

use trellis_core::{BindingId, CallError, Code};
use trellis_providers_sdk::data::About;

/// A keyspace, by the binding over which it is asked for, and whose that is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Space {
    pub(crate) binding: BindingId,
    pub(crate) actor: String,
}

/// The keyspace of somebody who is bound to another provider, and that one.
pub(crate) struct Other<K> {
    pub(crate) keeper: K,
    pub(crate) space: Space,
}

/// All names of a store that begin so.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Names {
    store: String,
    prefix: String,
}

/// What one binding sees in the one store and in the other.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) space: Space,
    pub(super) from: Names,
    pub(super) to: Names,
    /// By how much the clock of the other is ahead.
    pub(super) ahead_ms: i64,
    /// What the other one holds of it may be thrown away.
    pub(super) removable: bool,
    /// The other one held something of it before anything was copied.
    pub(super) held: bool,
}

/// The keyspaces of one of the two stores, by their places among the pairs.
type Side = BTreeMap<Names, usize>;

impl From<About> for Names {
    fn from(about: About) -> Self {
        Self { store: about.store, prefix: about.prefix }
    }
}

/// Each keyspace once. None of the target has a key in common with any of the source, and what two
/// of them have in common they have on both sides: otherwise actors would see other keys than
/// before.
pub(super) fn distinct(pairs: Vec<Pair>) -> Result<Vec<Pair>, CallError> {
    let (mut here, mut there) = (Side::new(), Side::new());
    let mut distinct: Vec<Pair> = Vec::new();
    for pair in pairs {
        if pair.from == pair.to {
            return Err(same_store(&pair.space));
        }
        match (here.get(&pair.from), there.get(&pair.to)) {
            (Some(one), Some(other)) if one == other => continue,
            (None, None) => {}
            _ => return Err(mixed(&pair.space)),
        }
        here.insert(pair.from.clone(), distinct.len());
        there.insert(pair.to.clone(), distinct.len());
        distinct.push(pair);
    }
    for pair in &distinct {
        if let Some(other) = touching(&here, &pair.to) {
            return Err(overlap(pair, &distinct[other]));
        }
        if enclosing(&here, &pair.from) != enclosing(&there, &pair.to) {
            return Err(mixed(&pair.space));
        }
    }
    Ok(distinct)
}

/// The smallest keyspace that this one is a part of, and how its names go on in that.
fn enclosing<'a>(side: &Side, names: &'a Names) -> Option<(usize, &'a str)> {
    names.prefix.char_indices().rev().find_map(|(at, _)| {
        let (prefix, rest) = names.prefix.split_at(at);
        let around = Names { store: names.store.clone(), prefix: prefix.to_owned() };
        Some((*side.get(&around)?, rest))
    })
}

/// A keyspace that has a key in common with this one.
fn touching(side: &Side, names: &Names) -> Option<usize> {
    let is_within =
        |it: &Names| it.store == names.store && it.prefix.starts_with(names.prefix.as_str());
    let within = side.range(names..).next().filter(|(it, _)| is_within(it));
    within.map(|(_, place)| *place).or_else(|| Some(enclosing(side, names)?.0))
}

/// The first of these that has a key in common, in the store where they are to be.
pub(super) fn meeting<'a>(pairs: &'a [Pair], names: &Names) -> Option<&'a Pair> {
    let there = pairs.iter().enumerate().map(|(place, pair)| (pair.to.clone(), place)).collect();
    pairs.get(touching(&there, names)?)
}

fn same_store(space: &Space) -> CallError {
    let actor = &space.actor;
    let text = format!("both are the same store for {actor}; nothing needs to be copied");
    CallError::new(Code::Data, text)
}

fn mixed(space: &Space) -> CallError {
    let text = format!(
        "the keys of {} would be another actor's too, or no longer: PREFIX, SHARED or NAMESPACE \
         mean something else there; give both the same",
        space.actor
    );
    CallError::new(Code::Data, text)
}

fn overlap(pair: &Pair, other: &Pair) -> CallError {
    let text = format!(
        "both are one store, and some keys would be both: those of {} there and those of {} here \
         are within one another, by PREFIX, SHARED and NAMESPACE; give the new one a PREFIX of \
         which neither begins the other, or another database or server",
        pair.space.actor, other.space.actor
    );
    CallError::new(Code::Data, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs of names such as `s/p:` (store, then prefix), for the actors `a-0`, `a-1` and so on.
    fn judged(pairs: &[(&str, &str)]) -> Result<usize, String> {
        let names = |text: &str| {
            let (store, prefix) = text.split_once('/').expect("a store and a prefix");
            Names { store: store.to_owned(), prefix: prefix.to_owned() }
        };
        let pair = |(at, (from, to)): (usize, &(&str, &str))| {
            let space = Space { binding: BindingId(at as u64), actor: format!("a-{at}") };
            let (from, to) = (names(from), names(to));
            Pair { space, from, to, ahead_ms: 0, removable: true, held: false }
        };
        let judged = distinct(pairs.iter().enumerate().map(pair).collect());
        judged.map(|kept| kept.len()).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_prefix_that_begins_the_other_one_is_refused_whichever_is_which() {
        for (from, to) in [("s/a:", "s/a:b:"), ("s/a:b:", "s/a:"), ("s/", "s/x"), ("s/é", "s/éa")]
        {
            let refused = judged(&[(from, to)]).expect_err("they overlap");
            assert!(refused.contains("some keys would be both"), "{from} {to}: {refused}");
        }
        let refused = judged(&[("s/canary:", "s/canary:b:")]).expect_err("they overlap");
        assert!(!refused.contains("canary"), "values of providers are for nobody: {refused}");
        for (from, to) in [("s/a:", "s/b:"), ("s/a:", "t/a:b:"), ("s/ab", "s/aa")] {
            assert_eq!(judged(&[(from, to)]), Ok(1), "{from} {to}");
        }
    }

    #[test]
    fn keys_of_another_binding_are_not_thrown_away_either() {
        let refused = judged(&[("s/a:", "t/x"), ("t/b:", "s/")]).expect_err("a-1 goes over a-0");
        assert!(refused.contains("of a-1 there") && refused.contains("of a-0 here"), "{refused}");
        assert!(judged(&[("s/a", "s/b"), ("s/b", "s/c")]).is_err(), "what goes is not gone yet");
    }

    #[test]
    fn what_two_have_in_common_they_have_on_both_sides() {
        assert_eq!(judged(&[("s/a:", "t/a:"), ("s/a:b:", "t/a:b:"), ("s/a:", "t/a:")]), Ok(2));
        assert_eq!(judged(&[("s/", "t/p:"), ("s/b:", "t/p:b:")]), Ok(2), "both go below p:");
        for pairs in [
            [("s/a:", "t/a:"), ("s/a:b:", "t/b:")],
            [("s/a:", "t/a:"), ("s/b:", "t/a:b:")],
            [("s/a:", "t/a:"), ("s/a:b:", "t/a:c:")],
            [("s/a", "t/a"), ("s/b", "t/a")],
            [("s/a", "t/a"), ("s/a", "t/b")],
        ] {
            let refused = judged(&pairs).expect_err("they would mix");
            assert!(refused.contains("another actor's"), "{pairs:?}: {refused}");
        }
    }
}
