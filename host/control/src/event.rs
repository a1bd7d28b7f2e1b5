//! What happened on a host, as CloudEvents: for everybody who follows it.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use trellis_core::Code;
use trellis_core::date::Date;

use crate::lifecycle::{Component, ComponentKind, LifecycleState};
use crate::phase::Phase;
use crate::revision::{Revision, RevisionOutcome};
use crate::told::for_everybody;

/// One thing that happened, as a CloudEvent in structured JSON.
/// Source: CloudEvents 1.0.2, JSON format.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// The version of CloudEvents: `1.0`.
    pub specversion: Cow<'static, str>,
    /// With the source it names this event alone, across restarts of the host.
    pub id: String,
    /// The host: `urn:trellis:host:N…`.
    pub source: String,
    /// What kind of thing happened; `docs/events.md` lists them.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// What it happened to, such as `actor counter`; `None` when that is the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When, as RFC 3339 has it.
    pub time: String,
    /// The type of the data: JSON.
    pub datacontenttype: Cow<'static, str>,
    /// What there is to say.
    pub data: EventData,
}

/// What there is to say of an event. What does not fit its type is left out.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct EventData {
    /// A sentence for people.
    pub message: String,
    /// The code of the reason, where something is wrong.
    #[serde(default, with = "crate::code::optional", skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// The actor or the provider, and where it is in its life now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<Component>,
    /// The change of what is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
}

/// What happened, before it has a number, a place and a time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Happening {
    /// The type of its event.
    pub kind: &'static str,
    /// What it happened to.
    pub subject: Option<String>,
    /// What there is to say.
    pub data: EventData,
}

/// The manifest as it is now is applied.
const MANIFEST_APPLIED: &str = "io.trellis.host.manifest.applied";
/// The manifest as it is now is not applied.
const MANIFEST_REFUSED: &str = "io.trellis.host.manifest.refused";

/// An actor goes on with other keys than it had.
const LEFT_BEHIND: &str = "io.trellis.host.actor.left_keys";

impl Happening {
    /// The host came to another phase of its life.
    #[must_use]
    pub fn phase(phase: Phase) -> Self {
        let message = format!("the host is {phase}");
        Self { kind: of_phase(phase), subject: None, data: saying(message) }
    }

    /// The manifest as it is now is applied.
    #[must_use]
    pub fn manifest_applied() -> Self {
        let message = "the manifest is applied".to_owned();
        Self { kind: MANIFEST_APPLIED, subject: None, data: saying(message) }
    }

    /// It is not, for this reason; what ran goes on.
    #[must_use]
    pub fn manifest_refused(code: Code, why: &str) -> Self {
        let message = format!("the manifest was not applied: {}", for_everybody(why));
        let data = EventData { code: Some(code), ..saying(message) };
        Self { kind: MANIFEST_REFUSED, subject: None, data }
    }

    /// A change of what is wanted began, or came to something.
    #[must_use]
    pub fn revision(revision: Revision) -> Self {
        let why = revision.why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        let message = format!("revision {revision}: {}{why}", revision.outcome);
        let (kind, subject) = (of_outcome(revision.outcome), revision.subject.clone());
        Self { kind, subject, data: EventData { revision: Some(revision), ..saying(message) } }
    }

    /// An actor or a provider came to another state of its life.
    #[must_use]
    pub fn entered(component: &Component, before: LifecycleState) -> Self {
        let component = Component { lifecycle: component.lifecycle.told(), ..component.clone() };
        let (state, cause) = (component.lifecycle.state(), component.lifecycle.cause());
        let why = cause.map_or_else(String::new, |cause| format!(": {}", cause.why));
        let code = cause.map(|cause| cause.code);
        let subject = component.subject();
        let message = format!("{subject} is {state}{why}");
        let kind = about(component.kind, word(before, state));
        let data = EventData { code, component: Some(component), ..saying(message) };
        Self { kind, subject: Some(subject), data }
    }

    /// An actor or a provider may not run any more: it expired, or nobody vouches for it.
    #[must_use]
    pub fn barred(kind: ComponentKind, name: &str, (code, why): (Code, &str)) -> Self {
        let subject = format!("{kind} {name}");
        let message = format!("{subject} may not run any more: {}", for_everybody(why));
        let data = EventData { code: Some(code), ..saying(message) };
        Self { kind: about(kind, "barred"), subject: Some(subject), data }
    }

    /// An actor goes on with other keys than it had.
    #[must_use]
    pub fn left_behind(actor: &str, why: &str) -> Self {
        let (subject, data) = (Some(format!("actor {actor}")), saying(for_everybody(why)));
        Self { kind: LEFT_BEHIND, subject, data }
    }
}

impl Event {
    /// All types of events.
    pub const TYPES: [&'static str; 32] = [
        of_phase(Phase::Starting),
        of_phase(Phase::Waiting),
        of_phase(Phase::Ready),
        of_phase(Phase::Unserved),
        of_phase(Phase::Stopping),
        MANIFEST_APPLIED,
        MANIFEST_REFUSED,
        of_outcome(RevisionOutcome::Applying),
        of_outcome(RevisionOutcome::Watched),
        of_outcome(RevisionOutcome::Applied),
        of_outcome(RevisionOutcome::Failed),
        of_outcome(RevisionOutcome::TakenBack),
        of_outcome(RevisionOutcome::NotTakenBack),
        "io.trellis.host.actor.started",
        "io.trellis.host.actor.recovered",
        "io.trellis.host.actor.degraded",
        "io.trellis.host.actor.restarting",
        "io.trellis.host.actor.backing_off",
        "io.trellis.host.actor.quarantined",
        "io.trellis.host.actor.draining",
        "io.trellis.host.actor.stopped",
        "io.trellis.host.actor.barred",
        LEFT_BEHIND,
        "io.trellis.host.provider.started",
        "io.trellis.host.provider.recovered",
        "io.trellis.host.provider.degraded",
        "io.trellis.host.provider.restarting",
        "io.trellis.host.provider.backing_off",
        "io.trellis.host.provider.quarantined",
        "io.trellis.host.provider.draining",
        "io.trellis.host.provider.stopped",
        "io.trellis.host.provider.barred",
    ];

    /// The event of what happened on a host, so many milliseconds after the start of 1970.
    #[must_use]
    pub fn of(happening: Happening, (id, source): (String, String), unix_ms: u64) -> Self {
        let Happening { kind, subject, data } = happening;
        Self {
            specversion: "1.0".into(),
            id,
            source,
            kind: kind.into(),
            subject,
            time: rfc3339(unix_ms),
            datacontenttype: "application/json".into(),
            data,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.time, self.kind, self.data.message)
    }
}

/// A moment as RFC 3339 has it, to the millisecond, in UTC.
#[must_use]
pub fn rfc3339(unix_ms: u64) -> String {
    let Date { year, month, day, hour, minute, second } = Date::of_unix_s(unix_ms / 1_000);
    let ms = unix_ms % 1_000;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

fn saying(message: String) -> EventData {
    EventData { message, ..EventData::default() }
}

const fn of_phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Starting => "io.trellis.host.starting",
        Phase::Waiting => "io.trellis.host.waiting",
        Phase::Ready => "io.trellis.host.ready",
        Phase::Unserved => "io.trellis.host.unserved",
        Phase::Stopping => "io.trellis.host.stopping",
    }
}

const fn of_outcome(outcome: RevisionOutcome) -> &'static str {
    match outcome {
        RevisionOutcome::Applying => "io.trellis.host.revision.applying",
        RevisionOutcome::Watched => "io.trellis.host.revision.watched",
        RevisionOutcome::Applied => "io.trellis.host.revision.applied",
        RevisionOutcome::Failed => "io.trellis.host.revision.failed",
        RevisionOutcome::TakenBack => "io.trellis.host.revision.taken_back",
        RevisionOutcome::NotTakenBack => "io.trellis.host.revision.not_taken_back",
    }
}

/// The type of an event about an actor or a provider.
fn about(component: ComponentKind, word: &str) -> &'static str {
    let kind = component.as_str();
    let is_meant = |it: &&&str| {
        let rest = it.strip_prefix("io.trellis.host.").and_then(|rest| rest.strip_prefix(kind));
        rest.and_then(|rest| rest.strip_prefix('.')) == Some(word)
    };
    Event::TYPES.iter().find(is_meant).copied().unwrap_or("io.trellis.host.changed")
}

/// What begins is started once it is ready; what was so before is ready again.
const fn word(before: LifecycleState, now: LifecycleState) -> &'static str {
    match (before, now) {
        (LifecycleState::Starting, LifecycleState::Ready) => "started",
        (_, LifecycleState::Ready) => "recovered",
        _ => now.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::{Cause, Lifecycle};

    fn component(kind: ComponentKind, state: LifecycleState) -> Component {
        let mut lifecycle = Lifecycle::starting(100);
        let why = "redis://me:canary@db is down\nand more".to_owned();
        let cause = Cause { code: Code::Provider, why, retry_unix_s: None };
        // From its beginning a lifecycle may come to any of these but one.
        let _ = lifecycle.enter(state, Some(cause), 101);
        Component { kind, name: "store".to_owned().into(), lifecycle }
    }

    #[test]
    fn every_step_of_a_life_has_a_type_that_is_listed() {
        for kind in [ComponentKind::Actor, ComponentKind::Provider] {
            for before in LifecycleState::ALL {
                for state in LifecycleState::ALL.into_iter().filter(|it| before.may_become(*it)) {
                    let found = about(kind, word(before, state));
                    assert!(Event::TYPES.contains(&found), "{kind} {before} {state}: {found}");
                }
            }
            let barred = Happening::barred(kind, "a", (Code::Revoked, "it is revoked"));
            assert!(Event::TYPES.contains(&barred.kind) && barred.kind.ends_with(".barred"));
        }
        let (store, before) = (ComponentKind::Provider, LifecycleState::Degraded);
        let ready = Happening::entered(&component(store, LifecycleState::Ready), before);
        assert_eq!(ready.kind, "io.trellis.host.provider.recovered");
        let ready = Happening::entered(
            &component(ComponentKind::Actor, LifecycleState::Ready),
            LifecycleState::Starting,
        );
        assert_eq!(ready.kind, "io.trellis.host.actor.started");
    }

    #[test]
    fn an_event_is_a_cloud_event_without_secrets_and_reads_back() {
        let degraded = component(ComponentKind::Provider, LifecycleState::Degraded);
        let happening = Happening::entered(&degraded, LifecycleState::Ready);
        let names = ("5-7".to_owned(), "urn:trellis:host:N1".to_owned());
        let event = Event::of(happening, names, 1_709_164_800_042);
        let json = serde_json::to_string(&event).expect("it is data");
        for part in [
            r#"{"specversion":"1.0","id":"5-7","source":"urn:trellis:host:N1","#,
            r#""type":"io.trellis.host.provider.degraded","subject":"provider store","#,
            r#""time":"2024-02-29T00:00:00.042Z","datacontenttype":"application/json","#,
            r#""data":{"message":"provider store is degraded: "#,
        ] {
            assert!(json.contains(part), "{part}: {json}");
        }
        assert!(!json.contains("canary") && json.contains("redis://***@db"), "{json}");
        assert!(json.contains(r#""code":"E_PROVIDER""#) && !json.contains('\n'), "{json}");
        assert_eq!(serde_json::from_str::<Event>(&json).expect("it reads back"), event);
        let plain = Event::of(Happening::phase(Phase::Ready), (String::new(), String::new()), 0);
        let json = serde_json::to_string(&plain).expect("it is data");
        assert!(!json.contains("null") && !json.contains("subject"), "{json}");
        assert_eq!(serde_json::from_str::<Event>(&json).expect("it reads back"), plain);
    }
}
