//! Which actors run as a manifest wants.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use trellis_control::{Name, Status as State};
use trellis_supervisor::{LastRun, LastRuns, Stores};

/// Takes out what is known of the actors that run as the manifest wants: one that could not be
/// replaced runs as it did. Where its data are is known of the bindings that are in force, by
/// `stores`, whatever else fails: what could not be bound anew may have its data where it had it.
pub(crate) fn take_running(
    wanted: &mut LastRuns,
    state: &State,
    stores: &BTreeMap<Arc<str>, Stores>,
) -> LastRuns {
    let running: HashSet<_> = state.actors.iter().map(Name::as_str).collect();
    let failing: HashSet<_> = state.degraded.iter().map(|degraded| &*degraded.what).collect();
    let runs = |name: &String| {
        running.contains(name.as_str()) && !failing.contains(&*format!("actor {name}"))
    };
    let taken = std::mem::take(wanted);
    let (mut running, missing): (LastRuns, _) = taken.into_iter().partition(|(name, _)| runs(name));
    *wanted = missing;
    let none = Stores::new();
    for (name, run) in &mut running {
        let bound = bound(run, stores.get(name.as_str()).unwrap_or(&none));
        if bound != run.stores {
            wanted.insert(name.clone(), run.clone());
            run.stores = bound;
        }
    }
    running
}

/// Those of its stores to which it is bound by now.
fn bound(run: &LastRun, now: &Stores) -> Stores {
    let is_bound = |contract: &str, name: &str, kind: &String| {
        now.get(contract).and_then(|bindings| bindings.get(name)) == Some(kind)
    };
    let mut stores = run.stores.clone();
    stores.retain(|contract, bindings| {
        bindings.retain(|name, kind| is_bound(contract, name, kind));
        !bindings.is_empty()
    });
    stores
}

#[cfg(test)]
mod tests {
    use trellis_control::Degraded;
    use trellis_core::Code;

    use super::*;

    #[test]
    fn a_key_is_remembered_once_its_actor_runs_under_it_whatever_else_fails() {
        let run = |name: &str| {
            let key = Some(format!("M{name}"));
            (name.to_owned(), LastRun { key, ..LastRun::default() })
        };
        let mut runs = LastRuns::from([run("good"), run("never"), run("stale")]);
        let fails = |what: &str| Degraded {
            what: what.to_owned(),
            code: Code::Address,
            why: "it is taken".to_owned(),
            since_unix_s: 0,
            retry_unix_s: Some(1),
        };
        let state = State {
            actors: vec!["good".to_owned().into(), "stale".to_owned().into()],
            degraded: vec![fails("actor stale"), fails("binding of other to wascc:http_server")],
            ..State::default()
        };
        let taken = take_running(&mut runs, &state, &BTreeMap::new());
        assert_eq!(taken, LastRuns::from([run("good")]));
        assert_eq!(runs, LastRuns::from([run("never"), run("stale")]), "these may run later");
    }

    #[test]
    fn where_its_data_are_is_remembered_of_each_binding_once_it_is_bound_there() {
        let stores = |bindings: &[(&str, &str)]| -> Stores {
            let named = |(name, kind): &(&str, &str)| ((*name).to_owned(), (*kind).to_owned());
            [("wascc:keyvalue".to_owned(), bindings.iter().map(named).collect())].into()
        };
        let (cache, main) = (("cache", "keyvalue-embedded"), ("default", "keyvalue-redis"));
        let run = |stores| LastRun { key: Some("M".to_owned()), stores, ..LastRun::default() };
        let runs = |run| LastRuns::from([("a".to_owned(), run)]);
        let whole = runs(run(stores(&[cache, main])));
        let mut wanted = whole.clone();
        // Another one's fails all the time.
        let fails = Degraded {
            what: "provider unrelated".to_owned(),
            code: Code::Provider,
            why: "it is down".to_owned(),
            since_unix_s: 0,
            retry_unix_s: Some(1),
        };
        let state = State {
            actors: vec!["a".to_owned().into()],
            degraded: vec![fails],
            ..State::default()
        };
        let elsewhere = ("default", "keyvalue-embedded");
        let steps = [
            (Stores::new(), Stores::new(), "its key at once"),
            (stores(&[elsewhere]), Stores::new(), "not where it still is"),
            (stores(&[elsewhere, cache]), stores(&[cache]), "one of them"),
        ];
        for (bound, known, why) in steps {
            let bound = BTreeMap::from([("a".into(), bound)]);
            assert_eq!(take_running(&mut wanted, &state, &bound), runs(run(known)), "{why}");
            assert_eq!(wanted, whole, "the rest may be bound later: {why}");
        }
        let bound = BTreeMap::from([("a".into(), stores(&[cache, main]))]);
        assert_eq!(take_running(&mut wanted, &state, &bound), whole);
        assert!(wanted.is_empty());
    }
}
