//! Whoever looks at calls is told of those that are meant, however they end.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use support::*;
use trellis_core::{CallError, Code, Entity, Parties, Trace};
use trellis_dispatch::{
    Bounds, BoxFuture, Dispatcher, Ending, Invocation, Message, Metrics, Observer, SeenCall,
    Snapshot, Target,
};

/// A target that answers, fails or hangs, as the request says.
struct Obeys;

impl Target for Obeys {
    fn call<'a>(
        &'a self,
        _: Parties<'_>,
        call: Invocation,
    ) -> BoxFuture<'a, Result<Bytes, CallError>> {
        Box::pin(async move {
            match &*call.payload {
                b"fail" => Err(CallError::new(Code::Guest, "it fails")),
                b"hang" => std::future::pending().await,
                _ => Ok(call.payload),
            }
        })
    }
}

/// Notes what it is told; wants calls to providers alone.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Notes {
    fn note(&self, text: String) {
        self.0.lock().expect("no test panics here").push(text);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no test panics here"))
    }
}

impl Observer for Notes {
    fn wants(&self, parties: Parties<'_>, callee: &str) -> bool {
        assert!(["store", "counter"].contains(&callee), "{callee}");
        matches!(parties.target, Entity::Provider { .. })
    }

    fn ended(&self, call: &SeenCall, ending: Ending<'_>) {
        let outcome = match ending.outcome {
            Some(Ok(reply)) => format!("{} bytes", reply.len()),
            Some(Err(error)) => error.code().to_string(),
            None => "given up".to_owned(),
        };
        assert!(!call.trace.is_none());
        self.note(format!("{} {} {outcome}", call.callee, call.operation));
    }

    fn failed(&self, callee: &str, error: &CallError, _: Trace) {
        self.note(format!("{callee} failed with {}", error.code()));
    }
}

fn dispatcher() -> (Dispatcher, Arc<Notes>) {
    let bounds = Bounds { call_time_max: Duration::from_secs(5), reply_bytes_max: 8 };
    let dispatcher = Dispatcher::new(gate(), Metrics::default(), bounds);
    let mut first = Snapshot { entitlements: entitlements(), ..Snapshot::default() };
    first.routes.put(ACTOR, dispatcher.route("counter", Arc::new(Obeys)).0);
    first.routes.put(PROVIDER, dispatcher.route("store", Arc::new(Obeys)).0);
    dispatcher.publish(first);
    let notes = Arc::<Notes>::default();
    dispatcher.observed().set(Arc::clone(&notes) as Arc<_>);
    (dispatcher, notes)
}

fn message(payload: &'static [u8]) -> Message {
    let (payload, trace) = (Bytes::from_static(payload), Trace::default());
    Message { payload, deadline: None, depth: 0, trace }
}

#[tokio::test]
async fn calls_are_told_of_while_somebody_looks_and_failures_always() {
    let (dispatcher, notes) = dispatcher();
    let ask = async |payload| drop(dispatcher.dispatch(FROM_ACTOR, message(payload)).await);
    ask(b"good").await;
    ask(b"fail").await;
    assert_eq!(notes.take(), ["store failed with E_GUEST"], "nobody looks");
    dispatcher.observed().look(true);
    ask(b"good").await;
    ask(b"fail").await;
    let told = ["store Get 4 bytes", "store failed with E_GUEST", "store Get E_GUEST"];
    assert_eq!(notes.take(), told);
    drop(dispatcher.dispatch(FROM_HOST, message(b"good")).await);
    assert_eq!(notes.take(), Vec::<String>::new(), "it is not meant");
    dispatcher.observed().look(false);
    ask(b"good").await;
    assert_eq!(notes.take(), Vec::<String>::new());
}

#[tokio::test]
async fn a_call_that_its_caller_gives_up_is_told_of() {
    let (dispatcher, notes) = dispatcher();
    dispatcher.observed().look(true);
    {
        let mut call = Box::pin(dispatcher.dispatch(FROM_ACTOR, message(b"hang")));
        let waits = futures_util::FutureExt::now_or_never(call.as_mut());
        assert!(waits.is_none());
        assert_eq!(notes.take(), Vec::<String>::new());
    }
    assert_eq!(notes.take(), ["store Get given up"]);
}
