//! Providers that ask for one another in a circle.

use std::collections::{BTreeMap, BTreeSet};

use trellis_manifest::Problem;

use super::bindings::Written;
use super::providers::Providers;

/// Whom each provider that is a module asks for something, by a binding of that name.
type Asks<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// Refuses circles in which a call would wait for itself: one of their providers has a single
/// instance, which is busy with the call that comes back to it. With more of them a circle ends
/// where calls are nested too deep.
pub(super) fn check(providers: &Providers, bindings: &[Written<'_>], problems: &mut Vec<Problem>) {
    let is_module = |name: &str| providers.get(name).is_some_and(|it| it.module.is_some());
    let mut asks = Asks::new();
    let between = |written: &&Written<'_>| {
        is_module(&written.binding.actor) && is_module(&written.binding.provider)
    };
    for written in bindings.iter().filter(between) {
        asks.entry(&written.binding.actor).or_default().insert(&written.binding.provider);
    }
    for (name, provider) in providers {
        let single = provider.module.as_ref().is_some_and(|it| it.limits.instances_max == 1);
        if !single || !reaches(&asks, name) {
            continue;
        }
        let own = bindings.iter().find(|written| *written.binding.actor == **name);
        let sentence = format!(
            "provider `{name}` has one instance and is bound to itself, maybe by way of others: \
             a call that comes back to it would wait for its own end"
        );
        let help = format!(
            "remove the binding, or give it more: `module: {{file: ..., instances: {{max: 16}}}}`; \
             then a circle of calls ends with {}",
            trellis_core::Code::Depth
        );
        problems.extend(own.map(|written| Problem::new(written.span, sentence).help(help)));
    }
}

/// True when a provider is among those that it asks, or that these ask, and so on.
fn reaches(asks: &Asks<'_>, name: &str) -> bool {
    let (mut seen, mut left) = (BTreeSet::new(), vec![name]);
    while let Some(next) = left.pop() {
        for asked in asks.get(next).into_iter().flatten() {
            if *asked == name {
                return true;
            }
            if seen.insert(*asked) {
                left.push(asked);
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_found_from_within_alone() {
        let asks = Asks::from([
            ("a", BTreeSet::from(["b"])),
            ("b", BTreeSet::from(["c", "d"])),
            ("c", BTreeSet::from(["b"])),
            ("e", BTreeSet::from(["e"])),
        ]);
        let within: Vec<_> = ["a", "b", "c", "d", "e"].map(|name| reaches(&asks, name)).into();
        assert_eq!(within, [false, true, true, false, true]);
    }
}
