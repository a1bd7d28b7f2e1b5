//! Which actors run as a manifest wants.

use std::collections::HashSet;

use trellis_control::{Name, Status as State};
use trellis_supervisor::LastRuns;

/// Takes out what is known of the actors that run as the manifest wants: one that could not be
/// replaced runs as it did.
pub(crate) fn take_running(wanted: &mut LastRuns, state: &State) -> LastRuns {
    let running: HashSet<_> = state.actors.iter().map(Name::as_str).collect();
    let failing: HashSet<_> = state.degraded.iter().map(|degraded| &*degraded.what).collect();
    let runs = |name: &String| {
        running.contains(name.as_str()) && !failing.contains(&*format!("actor {name}"))
    };
    let taken = std::mem::take(wanted);
    let (mut running, missing): (LastRuns, _) = taken.into_iter().partition(|(name, _)| runs(name));
    *wanted = missing;
    for (name, run) in &mut running {
        // What could not be bound anew may still have its data where it had it. The rest is known.
        let binding = format!("binding of {name} to ");
        let fails = |what: &&str| what.starts_with(&binding) || what.starts_with("provider ");
        if !run.stores.is_empty() && failing.iter().any(fails) {
            wanted.insert(name.clone(), run.clone());
            run.stores.clear();
        }
    }
    running
}

#[cfg(test)]
mod tests {
    use trellis_control::Degraded;
    use trellis_core::Code;
    use trellis_supervisor::LastRun;

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
        assert_eq!(take_running(&mut runs, &state), LastRuns::from([run("good")]));
        assert_eq!(runs, LastRuns::from([run("never"), run("stale")]), "these may run later");
    }

    #[test]
    fn where_its_data_are_is_remembered_once_it_is_bound_there() {
        let kinds = |kind: &str| [("default".to_owned(), kind.to_owned())].into();
        let run = LastRun {
            key: Some("M".to_owned()),
            stores: [("wascc:keyvalue".to_owned(), kinds("keyvalue-redis"))].into(),
            ..LastRun::default()
        };
        let whole = LastRuns::from([("a".to_owned(), run.clone())]);
        let known = LastRun { stores: Default::default(), ..run };
        let known = LastRuns::from([("a".to_owned(), known)]);
        let mut runs = whole.clone();
        let mut state = State { actors: vec!["a".to_owned().into()], ..State::default() };
        for what in ["binding of a to wascc:keyvalue", "provider store"] {
            state.degraded = vec![Degraded {
                what: what.to_owned(),
                code: Code::Provider,
                why: "it is down".to_owned(),
                since_unix_s: 0,
                retry_unix_s: Some(1),
            }];
            assert_eq!(take_running(&mut runs, &state), known, "{what}: its key at once");
            assert_eq!(runs, whole, "{what}: it may be bound later");
        }
        state.degraded.clear();
        assert_eq!(take_running(&mut runs, &state), whole);
        assert!(runs.is_empty());
    }
}
