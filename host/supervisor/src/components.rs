//! Actors and providers as a status lists them.

use std::collections::HashSet;

use trellis_control::{Cause, Component, ComponentKind, Degraded, Lifecycle, LifecycleState};

use crate::lifecycle::is_unwell;

/// Those that run, or should, and are not well.
pub(crate) fn unwell(components: &[Component]) -> Vec<Degraded> {
    let row = |component: &Component| {
        let lifecycle = Some(&component.lifecycle).filter(|it| is_unwell(it))?;
        let Cause { code, why, retry_unix_s } = lifecycle.cause()?.clone();
        let (what, since_unix_s) = (component.subject(), lifecycle.since_unix_s());
        Some(Degraded { what, code, why, since_unix_s, retry_unix_s })
    };
    components.iter().filter_map(row).collect()
}

/// Those that are wanted and that nothing of their name is there for, by what could not be had.
pub(crate) fn absent(missing: &[Degraded], present: &[Component]) -> Vec<Component> {
    let present: HashSet<_> = present.iter().map(|it| (it.kind, it.name.as_str())).collect();
    let known = missing.iter().filter_map(|row| Some((row, subject(&row.what)?)));
    let absent = known.filter(|(_, subject)| !present.contains(subject));
    absent.filter_map(|(row, subject)| component(row, subject)).collect()
}

fn subject(what: &str) -> Option<(ComponentKind, &str)> {
    let (kind, name) = what.split_once(' ')?;
    let kinds = [ComponentKind::Actor, ComponentKind::Provider];
    Some((kinds.into_iter().find(|it| it.as_str() == kind)?, name))
}

fn component(row: &Degraded, (kind, name): (ComponentKind, &str)) -> Option<Component> {
    let state = match row.retry_unix_s {
        Some(_) => LifecycleState::BackingOff,
        None => LifecycleState::Stopped,
    };
    let cause = Cause { code: row.code, why: row.why.clone(), retry_unix_s: row.retry_unix_s };
    let mut lifecycle = Lifecycle::starting(row.since_unix_s);
    lifecycle.enter(state, Some(cause), row.since_unix_s).ok()?;
    Some(Component { kind, name: name.to_owned().into(), lifecycle })
}

#[cfg(test)]
mod tests {
    use trellis_core::Code;

    use super::*;

    fn missing(what: &str, retry_unix_s: Option<u64>) -> Degraded {
        let (code, why) = (Code::Config, "it cannot be had".to_owned());
        Degraded { what: what.to_owned(), code, why, since_unix_s: 100, retry_unix_s }
    }

    #[test]
    fn what_is_wanted_and_not_there_is_listed_unless_another_version_is() {
        let runs = Component {
            kind: ComponentKind::Actor,
            name: "old".to_owned().into(),
            lifecycle: Lifecycle::starting(90),
        };
        let missing = [
            missing("actor old", Some(104)),
            missing("actor new", Some(104)),
            missing("provider gone", None),
            missing("binding of new to wascc:keyvalue", None),
        ];
        let absent = absent(&missing, &[runs]);
        let states: Vec<_> = absent.iter().map(|it| (it.subject(), it.lifecycle.state())).collect();
        let expected = [
            ("actor new".to_owned(), LifecycleState::BackingOff),
            ("provider gone".to_owned(), LifecycleState::Stopped),
        ];
        assert_eq!(states, expected);
        assert_eq!(unwell(&absent).len(), 1, "what is stopped is not tried again");
    }
}
