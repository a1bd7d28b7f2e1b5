//! The latest calls of an actor, answered by other versions of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use trellis_core::{ActorKey, CallError, Code, Entity, Parties, Trace};
use trellis_dispatch::{Invocation, Target};
use trellis_engine::{Actor, BoxFuture, Engine, EngineConfig, HostCall, HostCalls, ModuleSpec};
use trellis_limits::ActorLimits;
use trellis_targets::replay::{KeepingTarget, Kept, KeptBounds, Playback, Replayed, replay};

const PATIENCE: Duration = Duration::from_secs(30);

/// Answers `ok`.
const SOUND: &str = "(call $response (i32.const 64) (i32.const 2)) (i32.const 1)";
const OTHER: &str = "(call $response (i32.const 65) (i32.const 1)) (i32.const 1)";
const TRAPS: &str = "(unreachable)";
const LOOPS: &str = "(loop $l (br $l)) (i32.const 1)";
/// Says that it failed once it was told nothing of what it asks for.
const ASKS: &str = "(if (result i32) (call $host_call
    (i32.const 0) (i32.const 0) (i32.const 66) (i32.const 4) (i32.const 66) (i32.const 4)
    (i32.const 0) (i32.const 0)) (then (i32.const 1)) (else (i32.const 0)))";

struct Nobody;

impl HostCalls for Nobody {
    fn host_call<'a>(&'a self, _: HostCall<'a>) -> BoxFuture<'a, Result<Bytes, CallError>> {
        Box::pin(async { Err(CallError::new(Code::NotFound, "nobody is here")) })
    }
}

async fn actor(engine: &Engine, body: &str, calls: Arc<dyn HostCalls>) -> Actor {
    let text = format!(
        r#"(module
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  (import "wapc" "__host_call"
    (func $host_call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "okdemo")
  (func (export "__guest_call") (param i32 i32) (result i32) {body}))"#
    );
    let bytes = wat::parse_str(text).expect("a module");
    let digest = trellis_claims::hash::digest(&bytes);
    let limits = ActorLimits { call_time_max: Duration::from_millis(200), ..Default::default() };
    let module = ModuleSpec { limits, ..ModuleSpec::new("actor", bytes, digest) };
    engine.load(module, calls).await.expect("it loads")
}

/// The calls that a sound actor answered.
async fn kept(engine: &Engine, calls: usize) -> Arc<Kept> {
    let bounds = KeptBounds { calls: 100, bytes: 1 << 20 };
    let kept = Arc::new(Kept::new(bounds, Arc::clone(engine.metrics())));
    let target =
        KeepingTarget::new(actor(engine, SOUND, Arc::new(Nobody)).await, Arc::clone(&kept));
    let key = ActorKey::new("M".to_owned());
    let entity = Entity::Actor(key);
    for _ in 0..calls {
        let invocation = Invocation {
            operation: "Do".into(),
            payload: Bytes::from_static(b"payload"),
            deadline: Instant::now() + PATIENCE,
            remaining: PATIENCE,
            depth: 0,
            trace: Trace::default(),
            binding: None,
        };
        let parties = Parties { origin: &entity, target: &entity };
        target.call(parties, invocation).await.expect("it answers");
    }
    kept
}

async fn replayed(engine: &Engine, body: &str, time: Duration) -> Result<Replayed, CallError> {
    let kept = kept(engine, 12).await;
    let playback = Arc::new(Playback::default());
    let actor = actor(engine, body, Arc::clone(&playback) as Arc<_>).await;
    replay((&actor, &playback), (&kept, usize::MAX), time).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_version_does_with_the_same_calls_is_known() {
    let engine = Engine::new(EngineConfig::default()).expect("an engine");
    let same = replayed(&engine, SOUND, PATIENCE).await.expect("it answers all");
    assert_eq!((same.alike, same.calls()), (12, 12));
    assert_eq!(same.to_string(), "of 12 calls that were kept it answers 12 as before");
    let other = replayed(&engine, OTHER, PATIENCE).await.expect("it answers all");
    assert_eq!((other.alike, other.otherwise), (0, 12));
    let error = replayed(&engine, ASKS, PATIENCE).await.expect_err("nobody knows");
    let says = "it fails on each of 12 calls after it asked for demo demo";
    assert!(error.message().starts_with(says), "{error}");
    let traps = ASKS.replace("(else (i32.const 0))", "(else (unreachable))");
    let error = replayed(&engine, &traps, PATIENCE).await.expect_err("no answer excuses that");
    assert!(error.message().contains("Do (E_TRAP)"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_found_and_what_hangs_comes_to_an_end() {
    let engine = Engine::new(EngineConfig::default()).expect("an engine");
    let error = replayed(&engine, TRAPS, PATIENCE).await.expect_err("it traps");
    assert_eq!(error.code(), Code::Replay);
    let says =
        "it fails on 10 of 10 calls that the version before answered; the first is Do (E_TRAP)";
    assert!(error.message().starts_with(says), "it says enough early: {error}");
    let error = replayed(&engine, LOOPS, PATIENCE).await.expect_err("it is late");
    assert!(
        error.message().contains("10 of 10") && error.message().contains("E_TIMEOUT"),
        "{error}"
    );
    let error = replayed(&engine, LOOPS, Duration::from_millis(500)).await.expect_err("it is late");
    assert!(error.message().contains("replay_time_ms_max"), "{error}");
}
