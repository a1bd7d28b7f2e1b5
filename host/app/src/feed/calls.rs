//! Calls while they go on: for who spies on an actor, and for who asks why.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use data_encoding::HEXLOWER;
use parking_lot::Mutex;
use trellis_control::{ActorEntry, CallEntry, CallOutcome, PayloadEntry, rfc3339};
use trellis_core::{CallError, Entity, Parties, Trace};
use trellis_dispatch::{Dispatcher, Ending, Observer, SeenCall};
use trellis_limits::followed::{SPY_KEPT_BYTES, SPY_PAYLOAD};

use super::decisions::{Decisions, trace_id};
use super::ring::{Bounds, Ring};
use super::stamp::now_unix_ms;

/// What a call takes beside what is said in it, about.
const CALL_BYTES: usize = 500;
/// Longest operation, in bytes: it may be its caller's own word.
const OPERATION_BYTES_MAX: usize = 256;

/// What is seen of calls.
pub(crate) struct Calls {
    decisions: Arc<Decisions>,
    spied: ArcSwap<Vec<Arc<Spied>>>,
    /// One at a time begins or ends to spy.
    turn: Mutex<()>,
}

/// Whom somebody spies on, and what was seen.
struct Spied {
    name: String,
    key: String,
    /// The names of actors, by their keys, when it began.
    names: BTreeMap<String, String>,
    shows_payload: bool,
    seen: Arc<Ring<CallEntry>>,
}

/// Somebody who spies, until this is dropped.
pub(crate) struct Spy {
    spied: Arc<Spied>,
    calls: Arc<Calls>,
    dispatcher: Weak<Dispatcher>,
}

impl Calls {
    /// Nothing so far; what is decided is kept there.
    pub(crate) fn new(decisions: Arc<Decisions>) -> Self {
        Self { decisions, spied: ArcSwap::default(), turn: Mutex::default() }
    }

    /// What was decided.
    pub(crate) fn decisions(&self) -> &Decisions {
        &self.decisions
    }

    /// Nothing more is seen: spies come to an end.
    pub(crate) fn close(&self) {
        self.spied.load().iter().for_each(|spied| spied.seen.close());
    }

    /// Has these spied on instead, and calls looked at if there is anybody.
    fn edit(&self, dispatcher: &Dispatcher, edit: impl FnOnce(&mut Vec<Arc<Spied>>)) {
        let _turn = self.turn.lock();
        let mut spied = Vec::clone(&self.spied.load());
        edit(&mut spied);
        dispatcher.observed().look(!spied.is_empty());
        self.spied.store(Arc::new(spied));
    }
}

impl Spy {
    /// Begins to look at the calls of one of these actors.
    pub(crate) fn begin(
        calls: &Arc<Calls>,
        dispatcher: &Arc<Dispatcher>,
        (actor, all): (&ActorEntry, &[ActorEntry]),
        shows_payload: bool,
    ) -> Self {
        let bounds = Bounds { items_max: u64::MAX, bytes_max: SPY_KEPT_BYTES.default };
        let spied = Arc::new(Spied {
            name: actor.name.clone(),
            key: actor.key.clone(),
            names: all.iter().map(|it| (it.key.clone(), it.name.clone())).collect(),
            shows_payload,
            seen: Arc::new(Ring::new(bounds)),
        });
        calls.edit(dispatcher, |all| all.push(Arc::clone(&spied)));
        Self { spied, calls: Arc::clone(calls), dispatcher: Arc::downgrade(dispatcher) }
    }

    /// What it sees.
    pub(crate) fn seen(&self) -> &Arc<Ring<CallEntry>> {
        &self.spied.seen
    }
}

impl Drop for Spy {
    fn drop(&mut self) {
        let Some(dispatcher) = self.dispatcher.upgrade() else { return };
        self.calls.edit(&dispatcher, |all| all.retain(|it| !Arc::ptr_eq(it, &self.spied)));
    }
}

impl Observer for Calls {
    fn wants(&self, parties: Parties<'_>, callee: &str) -> bool {
        self.spied.load().iter().any(|spied| spied.means(parties, callee))
    }

    fn ended(&self, call: &SeenCall, ending: Ending<'_>) {
        let parties = Parties { origin: &call.origin, target: &call.target };
        let spied = self.spied.load();
        let mut meant = spied.iter().filter(|it| it.means(parties, &call.callee)).peekable();
        if let Some(first) = meant.peek() {
            self.decisions.allowed(call, &first.name_of(&call.origin));
        }
        meant.for_each(|spied| spied.show(call, ending));
    }

    fn failed(&self, callee: &str, error: &CallError, trace: Trace) {
        self.decisions.failed(callee, error, trace);
    }
}

impl Spied {
    /// True for a call of the actor, or by it. One that follows it has its name, if not its key.
    fn means(&self, parties: Parties<'_>, callee: &str) -> bool {
        let is_it =
            |entity: &Entity| matches!(entity, Entity::Actor(key) if key.as_str() == self.key);
        let is_named = matches!(parties.target, Entity::Actor(_)) && callee == self.name;
        is_named || is_it(parties.target) || is_it(parties.origin)
    }

    fn name_of(&self, entity: &Entity) -> String {
        let known = match entity {
            Entity::Actor(key) => self.names.get(key.as_str()),
            _ => None,
        };
        known.cloned().unwrap_or_else(|| entity.to_string())
    }

    fn show(&self, call: &SeenCall, Ending { outcome, took }: Ending<'_>) {
        let (reply, error) = match outcome {
            Some(Ok(reply)) => (Some(reply), None),
            Some(Err(error)) => (None, Some(error)),
            None => (None, None),
        };
        let payload = self.shows_payload.then(|| payload(call, reply, error));
        let said = payload.as_ref().map_or(0, weight);
        self.seen.push((CALL_BYTES + said) as u64, |_| CallEntry {
            time: rfc3339(now_unix_ms()),
            trace_id: trace_id(call.trace),
            caller: self.name_of(&call.origin),
            callee: call.callee.to_string(),
            operation: clip(&call.operation, OPERATION_BYTES_MAX),
            depth: call.depth,
            request_bytes: call.payload.len() as u64,
            reply_bytes: reply.map(|reply| reply.len() as u64),
            took_us: micros(took),
            outcome: match (outcome.is_some(), error.is_some()) {
                (false, _) => CallOutcome::GivenUp,
                (_, true) => CallOutcome::Failed,
                _ => CallOutcome::Answered,
            },
            code: error.map(CallError::code),
            payload,
        });
    }
}

fn payload(call: &SeenCall, reply: Option<&Bytes>, error: Option<&CallError>) -> PayloadEntry {
    let most = usize::try_from(SPY_PAYLOAD.default).unwrap_or(usize::MAX);
    let hex = |bytes: &Bytes| HEXLOWER.encode(&bytes[..bytes.len().min(most)]);
    PayloadEntry {
        request_hex: hex(&call.payload),
        reply_hex: reply.map(hex).unwrap_or_default(),
        message: error.map(|error| clip(error.message(), most)),
    }
}

fn weight(payload: &PayloadEntry) -> usize {
    let PayloadEntry { request_hex, reply_hex, message } = payload;
    request_hex.len() + reply_hex.len() + message.as_ref().map_or(0, String::len)
}

fn clip(text: &str, most: usize) -> String {
    text[..text.floor_char_boundary(most)].to_owned()
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use trellis_core::{ActorKey, Code};

    use super::*;

    fn spied(shows_payload: bool) -> Spied {
        let bounds = Bounds { items_max: u64::MAX, bytes_max: SPY_KEPT_BYTES.default };
        let names = BTreeMap::from([("MWEB".to_owned(), "web".to_owned())]);
        let (name, key, seen) = ("web".to_owned(), "MWEB".to_owned(), Arc::new(Ring::new(bounds)));
        Spied { name, key, names, shows_payload, seen }
    }

    fn call(payload: Bytes) -> SeenCall {
        SeenCall {
            origin: Entity::Actor(ActorKey::new("MWEB")),
            target: Entity::Actor(ActorKey::new("MSTORE")),
            callee: "store".into(),
            operation: "Canary".repeat(100).into(),
            payload,
            depth: 1,
            trace: Trace::new([0, 1], 1),
        }
    }

    #[test]
    fn payloads_are_shown_to_who_may_see_them_and_in_part() {
        let most = usize::try_from(SPY_PAYLOAD.default).expect("a small number");
        let call = call(vec![0xab; most + 10].into());
        let reply = Ok(Bytes::from_static(b"canary"));
        let failed = Err(CallError::new(Code::Guest, "canary"));
        let took = Duration::from_micros(7);
        let blind = spied(false);
        for outcome in [Some(&reply), Some(&failed), None] {
            blind.show(&call, Ending { outcome, took });
        }
        let seen = blind.seen.all();
        let outcomes: Vec<_> = seen.iter().map(|it| (it.outcome, it.code)).collect();
        let failed_with = (CallOutcome::Failed, Some(Code::Guest));
        let outcomes_wanted =
            [(CallOutcome::Answered, None), failed_with, (CallOutcome::GivenUp, None)];
        assert_eq!(outcomes, outcomes_wanted);
        for entry in &seen {
            let json = serde_json::to_string(&**entry).expect("it is data");
            assert!(!json.contains("canary") && !json.contains("abab"), "{json}");
            assert_eq!((&*entry.caller, &*entry.callee, entry.took_us), ("web", "store", 7));
            assert_eq!(entry.request_bytes, most as u64 + 10);
            assert_eq!(entry.operation.len(), OPERATION_BYTES_MAX);
        }
        let open = spied(true);
        open.show(&call, Ending { outcome: Some(&reply), took });
        let payload = open.seen.all()[0].payload.clone().expect("it is shown");
        assert_eq!(payload.request_hex.len(), 2 * most, "{}", SPY_PAYLOAD.name);
        assert_eq!(payload.reply_hex, HEXLOWER.encode(b"canary"));
        (0..1_000).for_each(|_| open.show(&call, Ending { outcome: Some(&reply), took }));
        let bytes: usize =
            open.seen.all().iter().filter_map(|it| it.payload.as_ref()).map(weight).sum();
        assert!((bytes as u64) <= SPY_KEPT_BYTES.default, "{bytes}: {}", SPY_KEPT_BYTES.name);
        assert!((bytes as u64) > SPY_KEPT_BYTES.default / 2, "{bytes}");
    }

    #[test]
    fn the_calls_of_one_actor_are_meant_and_those_it_makes() {
        let spied = spied(false);
        let (web, store) =
            (Entity::Actor(ActorKey::new("MWEB")), Entity::Actor(ActorKey::new("MSTORE")));
        let newer = Entity::Actor(ActorKey::new("MWEB2"));
        let means = |origin, target, callee| spied.means(Parties { origin, target }, callee);
        assert!(means(&web, &store, "store") && means(&Entity::System, &web, "web"));
        assert!(means(&store, &newer, "web"), "what follows it");
        assert!(!means(&Entity::System, &store, "store") && !means(&store, &store, "store"));
    }
}
