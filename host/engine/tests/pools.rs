//! Instances: how many, who waits, who goes.

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::*;
use tokio::sync::Semaphore;
use trellis_core::{CallError, Code};
use trellis_engine::{
    Actor, BoxFuture, Engine, EngineConfig, HostCall, HostCalls, Isolation, ModuleSpec,
};
use trellis_limits::{ActorLimits, named};

/// Answers when the test lets it.
struct Gate(Semaphore);

impl HostCalls for Gate {
    fn host_call<'a>(&'a self, call: HostCall<'a>) -> BoxFuture<'a, Result<Bytes, CallError>> {
        Box::pin(async move {
            self.0.acquire().await.expect("never closed").forget();
            Ok(call.payload)
        })
    }
}

async fn gated(engine: &Engine, limits: ActorLimits) -> (Actor, Arc<Gate>) {
    let gate = Arc::new(Gate(Semaphore::new(0)));
    let spec = ModuleSpec { limits, ..spec(forward()) };
    (engine.load(spec, gate.clone()).await.expect("loads"), gate)
}

/// Starts calls and waits until `running` and `waiting` are what they should be.
async fn begin(
    actor: &Actor,
    calls: usize,
    (running, waiting): (u32, u32),
) -> Vec<tokio::task::JoinHandle<Result<Bytes, CallError>>> {
    let tasks = (0..calls)
        .map(|_| {
            let actor = actor.clone();
            tokio::spawn(async move { actor.call(request("x")).await })
        })
        .collect();
    let counts = || (actor.stats().instances, actor.stats().waiting);
    eventually("all calls run or wait", || counts() == (running, waiting)).await;
    tasks
}

#[tokio::test]
async fn callers_wait_in_a_bounded_queue() {
    let engine = engine();
    let limits = ActorLimits { instances_max: 2, queue_max: 3, ..ActorLimits::default() };
    let (actor, gate) = gated(&engine, limits).await;
    let tasks = begin(&actor, 5, (2, 3)).await;
    let error = fails(&actor, b"x").await;
    assert_eq!(error.code(), Code::Busy);
    assert!(error.message().contains(&named("queue_max")), "{error}");
    gate.0.add_permits(5);
    for task in tasks {
        assert_eq!(task.await.expect("no panic").expect("served in turn"), "x");
    }
    assert_eq!(actor.stats().idle, 2);
}

#[tokio::test]
async fn a_waiting_caller_is_told_busy_at_its_deadline() {
    let engine = engine();
    let limits = ActorLimits { instances_max: 1, ..ActorLimits::default() };
    let (actor, gate) = gated(&engine, limits).await;
    let tasks = begin(&actor, 1, (1, 0)).await;
    let error = actor.call(request_within("y", Duration::from_millis(20))).await.expect_err("busy");
    assert_eq!(error.code(), Code::Busy);
    assert!(error.message().contains(&named("instances_max")), "{error}");
    assert_eq!(actor.stats().waiting, 0, "it left the queue");
    gate.0.add_permits(1);
    for task in tasks {
        task.await.expect("no panic").expect("served");
    }
}

#[tokio::test]
async fn a_caller_waits_for_an_instance_for_queue_time_at_most() {
    let engine = engine();
    let wait = Duration::from_millis(20);
    let limits = ActorLimits { instances_max: 1, queue_time_max: wait, ..ActorLimits::default() };
    let (actor, gate) = gated(&engine, limits).await;
    let tasks = begin(&actor, 1, (1, 0)).await;
    // Its deadline, which the error must not name, is five seconds away.
    let error = fails(&actor, b"y").await;
    assert_eq!(error.code(), Code::Busy);
    assert!(error.message().contains(&named("queue_time_ms_max")), "{error}");
    assert_eq!(engine.metrics().limit_hits("queue_time_ms_max"), 1);
    assert_eq!(actor.stats().waiting, 0, "it left the queue");
    gate.0.add_permits(1);
    for task in tasks {
        assert_eq!(task.await.expect("no panic").expect("what began is served"), "x");
    }
}

#[tokio::test]
async fn a_trap_makes_room_for_a_waiting_caller() {
    let engine = engine();
    let limits = ActorLimits { instances_max: 1, ..ActorLimits::default() };
    let gate = Arc::new(Gate(Semaphore::new(0)));
    let call = FORWARD.replace("(call $host_response (i32.const 1024))", "(unreachable)");
    let spec = ModuleSpec { limits, ..spec(guest_with(FORWARD_DATA, &call)) };
    let actor = engine.load(spec, gate.clone()).await.expect("loads");
    let tasks = begin(&actor, 4, (1, 3)).await;
    gate.0.add_permits(4);
    for task in tasks {
        assert_eq!(task.await.expect("no panic").expect_err("traps").code(), Code::Trap);
    }
    assert_eq!(actor.stats().instances, 0);
}

#[tokio::test]
async fn instances_are_evicted_so_that_every_actor_is_served() {
    let config = EngineConfig { instances_total_max: 4, ..config() };
    let engine = Engine::new(config).expect("starts");
    let mut actors = Vec::new();
    for i in 0..12 {
        let items = format!("(memory (export \"memory\") 1) (global i32 (i32.const {i}))");
        actors.push(load(&engine, guest_with(&items, ECHO)).await);
    }
    for _ in 0..3 {
        for actor in &actors {
            assert_eq!(actor.call(request("in turn")).await.expect("served"), "in turn");
            assert!(engine.metrics().instances_live() <= 4);
        }
    }
}

#[tokio::test]
async fn a_full_host_is_busy_until_somebody_finishes() {
    let config = EngineConfig { instances_total_max: 2, ..config() };
    let engine = Engine::new(config).expect("starts");
    let (blocked, gate) = gated(&engine, ActorLimits::default()).await;
    let other = load(&engine, echo()).await;
    let tasks = begin(&blocked, 2, (2, 0)).await;
    let error = other.call(request_within("z", Duration::from_millis(30))).await.expect_err("full");
    assert_eq!(error.code(), Code::Busy);
    assert!(error.message().contains("instances_total_max"), "{error}");
    let waiting = tokio::spawn(async move { other.call(request("z")).await });
    tokio::task::yield_now().await;
    gate.0.add_permits(2);
    assert_eq!(waiting.await.expect("no panic").expect("its place became free"), "z");
    for task in tasks {
        task.await.expect("no panic").expect("served");
    }
}

#[tokio::test]
async fn draining_refuses_the_new_and_waits_for_the_old() {
    let engine = engine();
    let (actor, gate) = gated(&engine, ActorLimits::default()).await;
    let tasks = begin(&actor, 3, (3, 0)).await;
    assert!(!actor.drain(Instant::now() + Duration::from_millis(20)).await, "three still run");
    assert_eq!(fails(&actor, b"x").await.code(), Code::Stopping);
    gate.0.add_permits(3);
    assert!(actor.drain(Instant::now() + Duration::from_secs(5)).await);
    for task in tasks {
        assert_eq!(task.await.expect("no panic").expect("finished"), "x");
    }
    assert_eq!(engine.metrics().instances_live(), 0);
}

#[tokio::test]
async fn the_last_handle_takes_its_instances_along() {
    let engine = engine();
    let actor = load(&engine, echo()).await;
    actor.call(request("x")).await.expect("answers");
    let clone = actor.clone();
    drop(actor);
    assert_eq!(engine.metrics().instances_live(), 1);
    drop(clone);
    assert_eq!(engine.metrics().instances_live(), 0);
}

#[tokio::test]
async fn the_minimum_stands_ready_after_loading() {
    let engine = engine();
    let limits = ActorLimits { instances_min: 3, ..ActorLimits::default() };
    let spec = ModuleSpec { limits, ..spec(echo()) };
    let actor = engine.load(spec, Arc::new(EchoHost)).await.expect("loads");
    assert_eq!(actor.stats().idle, 3);
}

#[tokio::test]
async fn unneeded_instances_go_and_the_minimum_stays() {
    let config = EngineConfig { idle_instance_ttl: Duration::from_millis(50), ..config() };
    let engine = Engine::new(config).expect("starts");
    let limits = ActorLimits { instances_min: 1, ..ActorLimits::default() };
    let (actor, gate) = gated(&engine, limits).await;
    let tasks = begin(&actor, 6, (6, 0)).await;
    gate.0.add_permits(6);
    for task in tasks {
        task.await.expect("no panic").expect("served");
    }
    eventually("all but one are gone", || actor.stats().instances == 1).await;
}

/// Traps when its payload begins with `t`.
fn trapping() -> Vec<u8> {
    guest(
        "(call $request (i32.const 0) (i32.const 1024))
         (if (i32.eq (i32.load8_u (i32.const 1024)) (i32.const 0x74)) (then (unreachable)))
         (i32.const 1)",
    )
}

#[tokio::test]
async fn the_minimum_is_made_again_after_traps_and_cuts() {
    let engine = engine();
    let limits = ActorLimits { instances_min: 2, ..ActorLimits::default() };
    let spec = ModuleSpec { limits: limits.clone(), ..spec(trapping()) };
    let actor = engine.load(spec, Arc::new(EchoHost)).await.expect("loads");
    for _ in 0..3 {
        assert_eq!(fails(&actor, b"trap").await.code(), Code::Trap);
        eventually("two stand ready", || actor.stats().idle == 2).await;
    }
    let (silent, _gate) = gated(&engine, limits).await;
    let cut = silent.call(request_within("x", Duration::from_millis(10))).await;
    assert_eq!(cut.expect_err("nobody answers").code(), Code::Timeout);
    eventually("two stand ready", || silent.stats().idle == 2).await;
    assert_eq!(engine.metrics().instances_live(), 4);
}

#[tokio::test]
async fn a_minimum_takes_no_place_from_others() {
    let config = EngineConfig { instances_total_max: 2, ..config() };
    let engine = Engine::new(config).expect("starts");
    let limits = ActorLimits { instances_min: 2, ..ActorLimits::default() };
    let spec = ModuleSpec { limits, ..spec(trapping()) };
    let actor = engine.load(spec, Arc::new(EchoHost)).await.expect("loads");
    let other = load(&engine, echo()).await;
    assert_eq!(other.call(request("x")).await.expect("an idle instance makes room"), "x");
    assert_eq!(fails(&actor, b"trap").await.code(), Code::Trap);
    eventually("one was made again", || actor.stats().idle == 1).await;
    assert_eq!(other.stats().idle, 1, "the other keeps its own");
}

#[tokio::test]
async fn a_dropped_call_leaves_its_place() {
    let engine = engine();
    let limits = ActorLimits { instances_max: 1, ..ActorLimits::default() };
    let (actor, gate) = gated(&engine, limits).await;
    for _ in 0..3 {
        let mut running = Box::pin(actor.call(request("x")));
        let mut waiting = Box::pin(actor.call(request("y")));
        assert!(futures_util::poll!(running.as_mut()).is_pending());
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        drop((running, waiting));
    }
    assert_eq!(actor.stats(), trellis_engine::Stats { resident: true, ..Default::default() });
    gate.0.add_permits(1);
    assert_eq!(actor.call(request("z")).await.expect("there is room"), "z");
}

#[test]
fn many_threads_share_one_actor() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let engine = engine();
        for isolation in [Isolation::Reuse, Isolation::Fresh] {
            let limits =
                ActorLimits { instances_max: 3, queue_max: 1_000, ..ActorLimits::default() };
            let spec = ModuleSpec { limits, isolation, ..spec(forward()) };
            let actor = engine.load(spec, Arc::new(Yielding)).await.expect("loads");
            let tasks: Vec<_> = (0..32)
                .map(|i| {
                    let actor = actor.clone();
                    tokio::spawn(async move {
                        for j in 0..50 {
                            let text = format!("{i}/{j}");
                            let reply = actor.call(request(text.clone())).await.expect("served");
                            assert_eq!(reply, text);
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("every caller got its own reply");
            }
            assert!(actor.stats().instances <= 3);
            assert_eq!(actor.stats().waiting, 0);
        }
    });
}

/// Lets others run before it answers.
struct Yielding;

impl HostCalls for Yielding {
    fn host_call<'a>(&'a self, call: HostCall<'a>) -> BoxFuture<'a, Result<Bytes, CallError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            Ok(call.payload)
        })
    }
}
