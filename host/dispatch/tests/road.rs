//! The road with targets that behave and targets that do not.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use trellis_claims::{ActorClaims, KeyKind, KeyPair};
use trellis_core::{
    BindingName, CallError, Code, Contract, ContractId, Direction, Entity, Operation, Parties,
    Trace,
};
use trellis_dispatch::{Bounds, BoxFuture, Delivery, Dispatcher, Message, Metrics, Target};
use trellis_entitlements::{
    ActorId, AllowAll, Ask, Gate, LinkId, LinkSpec, LogAudit, Member, Roster, Table, TargetId,
};

const ACTOR: TargetId = TargetId(1);
const PROVIDER: TargetId = TargetId(2);
const TIME_MAX: Duration = Duration::from_secs(5);

/// A target that answers with what the function says.
struct Answers<F>(F);

impl<F> Target for Answers<F>
where
    F: Fn(Parties<'_>, Delivery) -> BoxFuture<'static, Result<Bytes, CallError>> + Send + Sync,
{
    fn call<'a>(
        &'a self,
        parties: Parties<'_>,
        delivery: Delivery,
    ) -> BoxFuture<'a, Result<Bytes, CallError>> {
        (self.0)(parties, delivery)
    }
}

fn at_once(reply: &'static [u8]) -> Arc<dyn Target> {
    Arc::new(Answers(move |_: Parties<'_>, _| -> BoxFuture<'static, _> {
        Box::pin(async move { Ok(Bytes::from_static(reply)) })
    }))
}

fn claims(key: &KeyPair) -> ActorClaims {
    ActorClaims {
        issuer: KeyPair::generate(KeyKind::Account).public().clone(),
        subject: key.public().clone(),
        id: String::new(),
        issued_at: 0,
        expires: None,
        not_before: None,
        name: None,
        hash: String::new(),
        caps: vec!["test:store".to_owned()],
        tags: Vec::new(),
        revision: None,
        version: None,
        call_alias: None,
        provider: false,
        grants: BTreeMap::new(),
        calls: Vec::new(),
        wascap_revision: Some(3),
    }
}

/// One actor, `counter`, bound to one provider of `test:store`.
fn dispatcher(actor: Arc<dyn Target>, provider: Arc<dyn Target>) -> Dispatcher {
    let gate = Gate::new(
        Box::new(AllowAll),
        Box::new(LogAudit::default()),
        trellis_entitlements::Metrics::default(),
    );
    let member = Member {
        id: ActorId(1),
        target: ACTOR,
        name: "counter".into(),
        claims: Arc::new(claims(&KeyPair::generate(KeyKind::Module))),
    };
    let get = Operation {
        name: Cow::Borrowed("Get"),
        direction: Direction::ToProvider,
        doc: Cow::Borrowed(""),
    };
    let link = LinkSpec {
        id: LinkId(7),
        actor: ActorId(1),
        contract: Arc::new(Contract {
            id: ContractId::from_static("test:store"),
            aliases: Cow::Borrowed(&[]),
            operations: Cow::Owned(vec![get]),
        }),
        binding: BindingName::default(),
        target: PROVIDER,
    };
    let bounds = Bounds { call_time_max: TIME_MAX, reply_bytes_max: 8 };
    let dispatcher = Dispatcher::new(gate, Metrics::default(), bounds);
    let roster = Roster { actors: vec![member], links: vec![link], ..Roster::default() };
    dispatcher.publish(Table::build(&roster));
    dispatcher.edit_routes(|routes| {
        routes.put(ACTOR, "counter", actor);
        routes.put(PROVIDER, "store", provider);
    });
    dispatcher
}

const FROM_HOST: Ask<'_> = Ask::FromSystem { actor: "counter", operation: &Cow::Borrowed("Count") };
const FROM_ACTOR: Ask<'_> =
    Ask::FromActor { actor: ActorId(1), binding: "", namespace: "test:store", operation: "Get" };

fn message() -> Message {
    Message { payload: Bytes::from_static(b"?"), deadline: None, depth: 3, trace: Trace::default() }
}

#[tokio::test]
async fn an_admitted_call_reaches_its_target_with_what_the_host_knows() {
    let echo = |parties: Parties<'_>, delivery: Delivery| -> BoxFuture<'static, _> {
        assert!(matches!(parties.origin, Entity::Actor(_)));
        assert_eq!(parties.target.to_string(), "test:store/default");
        Box::pin(async move {
            let call = delivery.invocation;
            assert_eq!((&*call.operation, call.depth), ("Get", 3));
            assert_eq!(delivery.link, Some(LinkId(7)));
            assert!(!call.trace.is_none());
            Ok(call.payload)
        })
    };
    let road = dispatcher(at_once(b"actor"), Arc::new(Answers(echo)));
    assert_eq!(road.dispatch(FROM_ACTOR, message()).await.expect("answers"), "?");
    assert_eq!(road.dispatch(FROM_HOST, message()).await.expect("answers"), "actor");
}

#[tokio::test]
async fn a_provider_that_panics_fails_one_call_and_no_more() {
    let moody = |_: Parties<'_>, delivery: Delivery| -> BoxFuture<'static, _> {
        assert!(delivery.invocation.payload != "now", "as asked");
        Box::pin(async move {
            assert!(delivery.invocation.payload != "later", "as asked");
            Ok(Bytes::new())
        })
    };
    let road = dispatcher(at_once(b""), Arc::new(Answers(moody)));
    for when in ["now", "later"] {
        let asked = Message { payload: Bytes::from_static(when.as_bytes()), ..message() };
        let error = road.dispatch(FROM_ACTOR, asked).await.expect_err("panics");
        assert_eq!(error.code(), Code::Provider, "{when}");
    }
    road.dispatch(FROM_ACTOR, message()).await.expect("the next call is served");
}

#[tokio::test]
async fn an_oversized_reply_is_its_targets_fault() {
    let road = dispatcher(at_once(b"nine bytes"), at_once(b"nine bytes"));
    let error = road.dispatch(FROM_ACTOR, message()).await.expect_err("too large");
    assert_eq!(error.code(), Code::Provider);
    assert!(error.message().contains("payload_bytes_max (8)"), "{error}");
    let error = road.dispatch(FROM_HOST, message()).await.expect_err("too large");
    assert_eq!(error.code(), Code::TooLarge);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_never_answers_is_left_at_the_deadline() {
    let never = || -> Arc<dyn Target> {
        Arc::new(Answers(|_: Parties<'_>, _| -> BoxFuture<'static, _> {
            Box::pin(std::future::pending())
        }))
    };
    let road = dispatcher(never(), never());
    let error = road.dispatch(FROM_HOST, message()).await.expect_err("late");
    assert_eq!(error.code(), Code::Timeout);
    assert!(error.message().ends_with("did not answer within 5000 ms"), "{error}");
    // The actor that asked keeps a tenth of its time to say so.
    let error = road.dispatch(FROM_ACTOR, message()).await.expect_err("late");
    assert_eq!(error.code(), Code::Provider);
    assert!(error.message().ends_with("did not answer within 4500 ms"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_callers_deadline_counts_when_it_is_nearer() {
    let never: Arc<dyn Target> = Arc::new(Answers(|_: Parties<'_>, _| -> BoxFuture<'static, _> {
        Box::pin(std::future::pending())
    }));
    let road = dispatcher(never, at_once(b""));
    let deadline = Some(Instant::now() + Duration::from_millis(20));
    let error =
        road.dispatch(FROM_HOST, Message { deadline, ..message() }).await.expect_err("late");
    assert_eq!(error.code(), Code::Timeout);
}

#[tokio::test]
async fn a_target_that_is_gone_is_said_to_be_stopping() {
    let road = dispatcher(at_once(b""), at_once(b""));
    road.edit_routes(|routes| routes.remove(PROVIDER, "store"));
    let error = road.dispatch(FROM_ACTOR, message()).await.expect_err("gone");
    assert_eq!(error.code(), Code::Stopping);
    assert!(error.code().retry_is_safe());
}

#[tokio::test]
async fn what_is_refused_never_reaches_a_target() {
    let untouched: Arc<dyn Target> =
        Arc::new(Answers(|_: Parties<'_>, _| -> BoxFuture<'static, _> {
            panic!("nobody may get here");
        }));
    let road = dispatcher(Arc::clone(&untouched), untouched);
    let ask = Ask::FromActor {
        actor: ActorId(1),
        binding: "other",
        namespace: "test:store",
        operation: "Get",
    };
    assert_eq!(road.dispatch(ask, message()).await.expect_err("refused").code(), Code::Denied);
}
