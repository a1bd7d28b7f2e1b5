//! The road with targets that behave and targets that do not.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use support::*;
use trellis_core::{CallError, Code, Entity, Parties, Trace};
use trellis_dispatch::{
    Bounds, BoxFuture, Dispatcher, Invocation, Message, Metrics, RouteHandle, Snapshot, Target,
};
use trellis_entitlements::{ActorId, AuthzRequest};

const TIME_MAX: Duration = Duration::from_secs(5);

/// A target that answers with what the function says.
struct Answers<F>(F);

impl<F> Target for Answers<F>
where
    F: Fn(Parties<'_>, Invocation) -> BoxFuture<'static, Result<Bytes, CallError>> + Send + Sync,
{
    fn call<'a>(
        &'a self,
        parties: Parties<'_>,
        call: Invocation,
    ) -> BoxFuture<'a, Result<Bytes, CallError>> {
        (self.0)(parties, call)
    }
}

/// A target that never answers, and counts how often it was told that it was late.
#[derive(Default)]
struct Never(AtomicU32);

impl Target for Never {
    fn call<'a>(
        &'a self,
        _: Parties<'_>,
        _: Invocation,
    ) -> BoxFuture<'a, Result<Bytes, CallError>> {
        Box::pin(std::future::pending())
    }

    fn was_late(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn at_once(reply: &'static [u8]) -> Arc<dyn Target> {
    Arc::new(Answers(move |_: Parties<'_>, _| -> BoxFuture<'static, _> {
        Box::pin(async move { Ok(Bytes::from_static(reply)) })
    }))
}

/// One actor, `counter`, bound to one provider of `test:store`.
struct Road {
    dispatcher: Dispatcher,
    to_provider: RouteHandle,
}

impl Road {
    async fn ask(&self, request: AuthzRequest<'_>) -> Result<Bytes, CallError> {
        self.dispatcher.dispatch(request, message()).await
    }

    /// Publishes what `edit` makes of what is published.
    fn edit(&self, edit: impl FnOnce(&mut Snapshot)) {
        let mut next = self.dispatcher.snapshot();
        edit(&mut next);
        self.dispatcher.publish(next);
    }
}

fn road(actor: Arc<dyn Target>, provider: Arc<dyn Target>) -> Road {
    let bounds = Bounds { call_time_max: TIME_MAX, reply_bytes_max: 8 };
    let dispatcher = Dispatcher::new(gate(), Metrics::default(), bounds);
    let mut first = Snapshot { entitlements: entitlements(), ..Snapshot::default() };
    let (route, _) = dispatcher.route("counter", actor);
    first.routes.put(ACTOR, route);
    let (route, to_provider) = dispatcher.route("store", provider);
    first.routes.put(PROVIDER, route);
    dispatcher.publish(first);
    Road { dispatcher, to_provider }
}

fn message() -> Message {
    Message { payload: Bytes::from_static(b"?"), deadline: None, depth: 3, trace: Trace::default() }
}

#[tokio::test]
async fn an_admitted_call_reaches_its_target_with_what_the_host_knows() {
    let echo = |parties: Parties<'_>, call: Invocation| -> BoxFuture<'static, _> {
        assert!(matches!(parties.origin, Entity::Actor(_)));
        assert_eq!(parties.target.to_string(), "test:store/default");
        Box::pin(async move {
            assert_eq!((&*call.operation, call.depth), ("Get", 3));
            assert_eq!(call.binding, Some(BINDING));
            assert!(!call.trace.is_none());
            Ok(call.payload)
        })
    };
    let road = road(at_once(b"actor"), Arc::new(Answers(echo)));
    assert_eq!(road.dispatcher.dispatch(FROM_ACTOR, message()).await.expect("answers"), "?");
    assert_eq!(road.dispatcher.dispatch(FROM_HOST, message()).await.expect("answers"), "actor");
}

#[tokio::test]
async fn a_provider_that_panics_fails_one_call_and_no_more() {
    let moody = |_: Parties<'_>, call: Invocation| -> BoxFuture<'static, _> {
        assert!(call.payload != "now", "as asked");
        Box::pin(async move {
            assert!(call.payload != "later", "as asked");
            Ok(Bytes::new())
        })
    };
    let road = road(at_once(b""), Arc::new(Answers(moody)));
    for when in ["now", "later"] {
        let asked = Message { payload: Bytes::from_static(when.as_bytes()), ..message() };
        let error = road.dispatcher.dispatch(FROM_ACTOR, asked).await.expect_err("panics");
        assert_eq!(error.code(), Code::Provider, "{when}");
    }
    road.dispatcher.dispatch(FROM_ACTOR, message()).await.expect("the next call is served");
}

#[tokio::test]
async fn an_oversized_reply_is_its_targets_fault() {
    let road = road(at_once(b"nine bytes"), at_once(b"nine bytes"));
    let error = road.dispatcher.dispatch(FROM_ACTOR, message()).await.expect_err("too large");
    assert_eq!(error.code(), Code::Provider);
    assert!(error.message().contains("payload_bytes_max (8)"), "{error}");
    let error = road.dispatcher.dispatch(FROM_HOST, message()).await.expect_err("too large");
    assert_eq!(error.code(), Code::TooLarge);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_never_answers_is_left_at_the_deadline() {
    let (actor, provider) = (Arc::<Never>::default(), Arc::<Never>::default());
    let road = road(Arc::clone(&actor) as Arc<_>, Arc::clone(&provider) as Arc<_>);
    let error = road.dispatcher.dispatch(FROM_HOST, message()).await.expect_err("late");
    assert_eq!(error.code(), Code::Timeout);
    assert!(error.message().ends_with("did not answer within 5000 ms"), "{error}");
    // The actor that asked keeps a tenth of its time to say so.
    let error = road.dispatcher.dispatch(FROM_ACTOR, message()).await.expect_err("late");
    assert_eq!(error.code(), Code::Timeout);
    assert!(error.message().ends_with("did not answer within 4500 ms"), "{error}");
    let told = |target: &Never| target.0.load(Ordering::SeqCst);
    assert_eq!((told(&actor), told(&provider)), (1, 1), "each was told that it was late");
}

#[tokio::test(start_paused = true)]
async fn the_callers_deadline_counts_when_it_is_nearer() {
    let never: Arc<dyn Target> = Arc::new(Answers(|_: Parties<'_>, _| -> BoxFuture<'static, _> {
        Box::pin(std::future::pending())
    }));
    let road = road(never, at_once(b""));
    let deadline = Some(Instant::now() + Duration::from_millis(20));
    let error = road
        .dispatcher
        .dispatch(FROM_HOST, Message { deadline, ..message() })
        .await
        .expect_err("late");
    assert_eq!(error.code(), Code::Timeout);
}

#[tokio::test]
async fn a_target_that_is_gone_is_said_to_be_stopping() {
    let road = road(at_once(b""), at_once(b""));
    road.edit(|next| next.routes.remove(PROVIDER));
    let error = road.dispatcher.dispatch(FROM_ACTOR, message()).await.expect_err("gone");
    assert_eq!(error.code(), Code::Stopping);
    assert!(error.code().retry_is_safe());
}

#[tokio::test]
async fn what_is_refused_never_reaches_a_target() {
    let untouched: Arc<dyn Target> =
        Arc::new(Answers(|_: Parties<'_>, _| -> BoxFuture<'static, _> {
            panic!("nobody may get here");
        }));
    let road = road(Arc::clone(&untouched), untouched);
    let ask = AuthzRequest::FromActor {
        actor: ActorId(1),
        binding: "other",
        namespace: "test:store",
        operation: "Get",
    };
    assert_eq!(
        road.dispatcher.dispatch(ask, message()).await.expect_err("refused").code(),
        Code::Denied
    );
}

fn never() -> Arc<dyn Target> {
    Arc::new(Answers(|_: Parties<'_>, _| -> BoxFuture<'static, _> {
        Box::pin(std::future::pending())
    }))
}

#[tokio::test]
async fn a_route_is_gone_when_its_last_call_has_ended() {
    let (answer, asked) = tokio::sync::oneshot::channel::<Bytes>();
    let asked = std::sync::Mutex::new(Some(asked));
    let waits = move |_: Parties<'_>, _: Invocation| -> BoxFuture<'static, _> {
        let asked = asked.lock().expect("no panics").take().expect("asked once");
        Box::pin(async move { Ok(asked.await.expect("it is sent")) })
    };
    let road = road(at_once(b""), Arc::new(Answers(waits)));
    let mut call = Box::pin(road.ask(FROM_ACTOR));
    assert!(futures_util::poll!(&mut call).is_pending(), "it is under way");

    // A route of its own for those that come: those that came hold the one before.
    let mut renewed = None;
    road.edit(|next| renewed = next.routes.renew(PROVIDER));
    let mut gone = Box::pin(road.to_provider.gone());
    assert!(futures_util::poll!(&mut gone).is_pending(), "its call is under way");
    answer.send(Bytes::from_static(b"late")).expect("it waits");
    assert_eq!(call.await.expect("it goes on"), "late");
    gone.await;

    let renewed = renewed.expect("there is such a target");
    let mut gone = Box::pin(renewed.gone());
    assert!(futures_util::poll!(&mut gone).is_pending(), "it is published");
    road.edit(|next| next.routes.remove(PROVIDER));
    gone.await;
}

#[tokio::test]
async fn a_cut_ends_the_calls_of_a_route_at_once() {
    let road = road(at_once(b""), never());
    let mut call = Box::pin(road.ask(FROM_ACTOR));
    assert!(futures_util::poll!(&mut call).is_pending(), "it is under way");
    road.to_provider.cut();
    let error = call.await.expect_err("cut");
    assert_eq!(error.code(), Code::Provider);
    assert!(error.message().contains("was stopped"), "{error}");
    assert!(!error.code().retry_is_safe(), "it may have done something");
    assert_eq!(road.ask(FROM_ACTOR).await.expect_err("so is a later one").code(), Code::Provider);
}

#[tokio::test]
async fn rights_and_routes_change_at_once() {
    let road = road(at_once(b"old"), at_once(b"old"));
    let (route, _) = road.dispatcher.route("store", at_once(b"new"));
    let held = road.dispatcher.snapshot();
    road.edit(|next| {
        next.routes.put(PROVIDER, route);
        next.entitlements.remove(ActorId(1));
    });
    assert_eq!(road.ask(FROM_ACTOR).await.expect_err("no rights").code(), Code::Stopping);
    road.dispatcher.publish(held);
    assert_eq!(road.ask(FROM_ACTOR).await.expect("as before"), "old");
}
