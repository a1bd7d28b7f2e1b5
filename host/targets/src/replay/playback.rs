//! What an actor is told that answers a call which was kept: what the version before was told.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use trellis_core::{CallError, Code};
use trellis_engine::{BoxFuture, HostCall, HostCalls};

use super::kept::{Asked, KeptCall};

/// Answers what an actor asks for from what was kept, and reaches nobody.
#[derive(Default, Debug)]
pub struct Playback(Mutex<Option<Playing>>);

/// A call that is played back.
#[derive(Debug)]
struct Playing {
    call: Arc<KeptCall>,
    /// Which answers were given.
    given: Vec<bool>,
    asks: Asks,
}

/// How what an actor asks for differs from what the version before asked for.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Asks {
    /// Something that nobody knows an answer to: the first.
    pub(super) unknown: Option<String>,
    /// The same with another payload, or no longer.
    pub(super) otherwise: bool,
}

impl Playback {
    /// Plays this call back from now on.
    pub(super) fn begin(&self, call: &Arc<KeptCall>) {
        let given = vec![false; call.asked.len()];
        let playing = Playing { call: Arc::clone(call), given, asks: Asks::default() };
        *self.0.lock() = Some(playing);
    }

    /// It ended; this is how it asked.
    pub(super) fn end(&self) -> Asks {
        let Some(Playing { given, mut asks, .. }) = self.0.lock().take() else {
            return Asks::default();
        };
        asks.otherwise |= given.contains(&false);
        asks
    }

    fn answer(&self, call: &HostCall<'_>) -> Result<Bytes, CallError> {
        let mut playing = self.0.lock();
        let unknown = || {
            let HostCall { namespace, operation, .. } = call;
            let text =
                format!("nobody knows what {namespace} answers to {operation}: it is a replay");
            Err(CallError::new(Code::Provider, text))
        };
        // An instance that starts belongs to no call.
        let Some(playing) = &mut *playing else { return unknown() };
        let left =
            || playing.call.asked.iter().enumerate().filter(|(place, _)| !playing.given[*place]);
        let same = left().find(|(_, asked)| asked.is_for(call) && asked.payload == call.payload);
        let alike = || left().find(|(_, asked)| asked.is_for(call));
        let Some((place, asked)) = same.or_else(alike) else {
            let HostCall { namespace, operation, .. } = call;
            playing.asks.unknown.get_or_insert_with(|| format!("{namespace} {operation}"));
            return unknown();
        };
        let (answer, otherwise) = (asked.answer.clone(), asked.payload != call.payload);
        playing.given[place] = true;
        playing.asks.otherwise |= otherwise;
        answer.unwrap_or_else(unknown)
    }
}

impl Asked {
    /// True for the same question, whatever its payload is.
    fn is_for(&self, call: &HostCall<'_>) -> bool {
        self.binding == call.binding
            && self.namespace == call.namespace
            && self.operation == call.operation
    }
}

impl HostCalls for Playback {
    fn host_call<'a>(&'a self, call: HostCall<'a>) -> BoxFuture<'a, Result<Bytes, CallError>> {
        let answer = self.answer(&call);
        Box::pin(std::future::ready(answer))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use trellis_core::Trace;

    use super::*;

    const STORE: &str = "wascc:keyvalue";

    fn ask(operation: &'static str, payload: &'static str) -> HostCall<'static> {
        let (binding, namespace, payload) =
            ("default", STORE, Bytes::from_static(payload.as_bytes()));
        let (deadline, trace) = (Instant::now(), Trace::default());
        HostCall { binding, namespace, operation, payload, deadline, depth: 0, trace, caller: 0 }
    }

    fn asked(operation: &str, payload: &'static str, answer: &'static str) -> Asked {
        let text = |text: &str| text.to_owned();
        let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
        let (binding, namespace) = (text("default"), text(STORE));
        let (payload, answer) = (bytes(payload), Some(Ok(bytes(answer))));
        Asked { binding, namespace, operation: text(operation), payload, answer }
    }

    fn playback(asked: Vec<Asked>) -> Playback {
        let (operation, payload, answer) = ("Do".to_owned(), Bytes::new(), Ok(Bytes::new()));
        let playback = Playback::default();
        playback.begin(&Arc::new(KeptCall { operation, payload, asked, answer }));
        playback
    }

    #[test]
    fn each_answer_is_given_once_and_the_same_question_first() {
        let all = || vec![asked("Get", "a", "1"), asked("Get", "b", "2"), asked("Add", "c", "3")];
        let answers = |asks: &[(&'static str, &'static str)]| {
            let playback = playback(all());
            let answer = |(operation, payload): &(&'static str, &'static str)| {
                playback.answer(&ask(operation, payload)).unwrap_or_default()
            };
            let answers: Vec<_> = asks.iter().map(answer).collect();
            (answers, playback.end())
        };
        let same = Asks::default();
        let otherwise = || Asks { otherwise: true, unknown: None };
        let unknown = |what: &str| Some(format!("{STORE} {what}"));
        let told = |list: &[&'static str]| {
            list.iter().map(|it| Bytes::from_static(it.as_bytes())).collect::<Vec<_>>()
        };
        assert_eq!(
            answers(&[("Get", "a"), ("Get", "b"), ("Add", "c")]),
            (told(&["1", "2", "3"]), same.clone())
        );
        assert_eq!(
            answers(&[("Add", "c"), ("Get", "b"), ("Get", "a")]),
            (told(&["3", "2", "1"]), same)
        );
        assert_eq!(
            answers(&[("Get", "a"), ("Get", "b"), ("Add", "d")]),
            (told(&["1", "2", "3"]), otherwise())
        );
        assert_eq!(answers(&[("Get", "a")]), (told(&["1"]), otherwise()), "it no longer asks");
        let (found, asks) = answers(&[("Add", "c"), ("Add", "c"), ("Set", "d")]);
        assert_eq!(found, told(&["3", "", ""]));
        assert_eq!(asks.unknown, unknown("Add"), "the first");
    }
}
