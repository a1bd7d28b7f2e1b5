//! Floods of refused calls in the log.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use trellis_claims::{KeyKind, KeyPair};
use trellis_core::{ActorKey, Entity, Trace};
use trellis_entitlements::{Absence, AbsentEnd, AuditSink, Denial, LogAudit, Reason};

/// More than has lines at once, and than a slow machine adds meanwhile.
const FLOOD: u64 = 10_000;

/// The lines that were written, by target and by the end that is absent, with what they say was
/// left out.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<BTreeMap<String, Vec<u64>>>>);

#[derive(Default)]
struct Line {
    end: String,
    left_out: u64,
}

impl Visit for Line {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "left_out" {
            self.left_out = value;
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "end" {
            value.clone_into(&mut self.end);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let kind = format!("{} {}", event.metadata().target(), line.end);
        let mut lines = self.0.lock().expect("no test panics here");
        lines.entry(kind.trim_end().to_owned()).or_default().push(line.left_out);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn denial(origin: Option<&Entity>) -> Denial {
    let (namespace, binding, operation) = Default::default();
    let (reason, message) = (Reason::NotCallable, String::new());
    Denial { reason, origin: origin.cloned(), namespace, binding, operation, message }
}

fn absence(end: AbsentEnd, origin: Option<&Entity>) -> Absence {
    let (namespace, operation, message) = Default::default();
    Absence { end, origin: origin.cloned(), namespace, operation, message }
}

fn actor() -> Entity {
    Entity::Actor(ActorKey::new(KeyPair::generate(KeyKind::Module).public().as_str()))
}

#[test]
fn a_flood_of_one_kind_leaves_the_lines_of_the_others_alone() {
    let actor = actor();
    for origin in [Some(&actor), None] {
        let (audit, log) = (LogAudit::default(), Log::default());
        tracing::subscriber::with_default(log.clone(), || {
            (0..FLOOD)
                .for_each(|_| audit.absent(&absence(AbsentEnd::Callee, origin), Trace::default()));
            audit.absent(&absence(AbsentEnd::Caller, origin), Trace::default());
            (0..20).for_each(|_| audit.denied(&denial(origin), Trace::default()));
        });
        let lines = log.0.lock().expect("no test panics here");
        assert!((1_000..FLOOD as usize).contains(&lines["call callee"].len()), "it is limited");
        assert_eq!(lines["call caller"], [0], "of {origin:?}");
        assert_eq!(lines["audit"], [0; 20], "none is left out, and none of another kind counted");
    }
}

#[test]
fn a_flood_of_denials_is_limited_for_each_actor() {
    let (audit, log) = (LogAudit::default(), Log::default());
    let (first, second) = (actor(), actor());
    tracing::subscriber::with_default(log.clone(), || {
        (0..FLOOD).for_each(|_| audit.denied(&denial(Some(&first)), Trace::default()));
        (0..20).for_each(|_| audit.denied(&denial(Some(&second)), Trace::default()));
    });
    let lines = log.0.lock().expect("no test panics here");
    assert!((1_020..FLOOD as usize).contains(&lines["audit"].len()), "{}", lines["audit"].len());
    assert_eq!(lines["audit"].last_chunk(), Some(&[0; 20]), "those of the second");
}
