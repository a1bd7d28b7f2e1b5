//! Rows C1 to C8 of the threat table: what one guest does to itself, its host and its neighbors.

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::*;
use proptest::prelude::*;
use trellis_core::Code;
use trellis_engine::{Actor, Engine, Isolation, ModuleSpec};
use trellis_limits::ActorLimits;

/// How late a cut may be on a machine that is busy with other tests; 5 ms when it is not.
const SLACK: Duration = Duration::from_millis(500);

async fn load_with(engine: &Engine, bytes: Vec<u8>, limits: ActorLimits) -> Actor {
    let spec = ModuleSpec { limits, ..spec(bytes) };
    engine.load(spec, Arc::new(EchoHost)).await.expect("the guest loads")
}

/// The code of a call and that it ended in time.
async fn cut(actor: &Actor, time: Duration) -> Code {
    let started = Instant::now();
    let error = actor.call(request_within("", time)).await.expect_err("must be cut");
    let late = started.elapsed().saturating_sub(time);
    assert!(late < SLACK, "cut {late:?} after the deadline");
    error.code()
}

#[tokio::test]
async fn c1_infinite_loop_in_handler_is_cut() {
    let engine = engine();
    let actor = load(&engine, guest("(loop $l (br $l)) (i32.const 1)")).await;
    for _ in 0..2 {
        assert_eq!(cut(&actor, Duration::from_millis(50)).await, Code::Timeout);
    }
    assert!(actor.drain(Instant::now() + Duration::from_secs(5)).await, "a cut instance goes");
    assert_eq!(engine.metrics().instances_live(), 0);
}

#[tokio::test]
async fn c1_infinite_loop_in_start_and_init_is_cut() {
    let engine = engine();
    let spin = "(func $spin (loop $l (br $l)))";
    for start in ["(start $spin)", "(export \"wapc_init\" (func $spin))"] {
        let items = format!("(memory (export \"memory\") 1) {spin} {start}");
        let limits =
            ActorLimits { init_time_max: Duration::from_millis(50), ..ActorLimits::default() };
        let actor = load_with(&engine, guest_with(&items, ECHO), limits).await;
        let started = Instant::now();
        assert_eq!(fails(&actor, b"").await.code(), Code::Timeout, "{start}");
        assert!(started.elapsed() < SLACK, "{start}");
    }
}

#[tokio::test]
async fn c1_an_instance_that_never_gets_ready_is_cut_when_no_call_runs() {
    let engine = engine();
    let items = "(memory (export \"memory\") 1) (func $spin (loop $l (br $l))) (start $spin)";
    let limits = ActorLimits {
        instances_min: 1,
        init_time_max: Duration::from_millis(50),
        ..ActorLimits::default()
    };
    let spec = ModuleSpec { limits, ..spec(guest_with(items, ECHO)) };
    let started = Instant::now();
    let error = engine.load(spec, Arc::new(EchoHost)).await.map(drop).expect_err("never ready");
    assert_eq!(error.code(), Code::Timeout);
    assert!(started.elapsed() < Duration::from_secs(5), "compiling included");
}

#[tokio::test]
async fn c1_a_host_call_that_never_ends_is_cut() {
    let engine = engine();
    let actor = engine.load(spec(forward()), Arc::new(SilentHost)).await.expect("loads");
    assert_eq!(cut(&actor, Duration::from_millis(30)).await, Code::Timeout);
}

#[tokio::test]
async fn c1_a_loop_of_host_calls_is_cut() {
    let engine = engine();
    let body = "(loop $l (drop (call $host_call (i32.const 0) (i32.const 0) (i32.const 0)
        (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))) (br $l))
        (i32.const 1)";
    let actor = load(&engine, guest(body)).await;
    assert_eq!(cut(&actor, Duration::from_millis(50)).await, Code::Timeout);
}

#[tokio::test]
async fn c1_neighbors_run_beside_100_looping_calls() {
    let engine = engine();
    let hostile = load_with(
        &engine,
        guest("(loop $l (br $l)) (i32.const 1)"),
        ActorLimits { instances_max: 90, ..ActorLimits::default() },
    )
    .await;
    let neighbor = load(&engine, echo()).await;
    let alone = measure(&neighbor, Duration::from_millis(500)).await;
    let time = Duration::from_millis(1_500);
    let attackers: Vec<_> = (0..100)
        .map(|_| {
            let hostile = hostile.clone();
            tokio::spawn(async move { hostile.call(request_within("", time)).await })
        })
        .collect();
    let beside = measure(&neighbor, Duration::from_millis(1_000)).await;
    for attacker in attackers {
        let code = attacker.await.expect("no panic").expect_err("cut or refused").code();
        assert!(matches!(code, Code::Timeout | Code::Busy), "{code}");
    }
    eprintln!("alone: {alone:?}\nbeside 100 loops: {beside:?}");
    // Far wider than the goal of 10 %, because other programs may disturb either measurement; a
    // host that lets guests block its threads is off by a hundred times.
    assert!(beside.p99 < alone.p99 * 20 + Duration::from_millis(1));
    assert!(beside.calls_per_s > alone.calls_per_s / 20);
}

#[derive(Debug)]
struct Pace {
    calls_per_s: u64,
    p99: Duration,
}

/// Calls again and again, letting the executor's other tasks run in between.
async fn measure(actor: &Actor, time: Duration) -> Pace {
    let mut took = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < time {
        let started = Instant::now();
        actor.call(request("x")).await.expect("the neighbor answers");
        took.push(started.elapsed());
        tokio::task::yield_now().await;
    }
    took.sort_unstable();
    let calls_per_s = took.len() as u64 * 1_000 / begun.elapsed().as_millis() as u64;
    Pace { calls_per_s, p99: took[took.len() * 99 / 100] }
}

#[tokio::test]
async fn c1_dropping_the_caller_ends_the_guest() {
    let engine = engine();
    let actor = load(&engine, guest("(loop $l (br $l)) (i32.const 1)")).await;
    let call = actor.call(request("x"));
    let soon = tokio::time::timeout(Duration::from_millis(30), call).await;
    assert!(soon.is_err(), "the caller went away first");
    assert!(actor.drain(Instant::now() + Duration::from_secs(5)).await, "the guest ended");
    assert_eq!(engine.metrics().instances_live(), 0);
}

#[tokio::test]
async fn c2_deep_recursion_is_a_stack_error() {
    let engine = engine();
    let memory = "(memory (export \"memory\") 1)";
    let direct = "(func $f (param i32) (result i32)
        (i32.add (i32.const 1) (call $f (local.get 0))))";
    let mutual = "(func $g (param i32) (result i32)
          (i32.add (i32.const 1) (call $f (local.get 0))))
        (func $f (param i32) (result i32) (i32.add (i32.const 1) (call $g (local.get 0))))";
    let table =
        "(table 1 funcref) (elem (i32.const 0) $f) (type $t (func (param i32) (result i32)))
        (func $f (param i32) (result i32)
          (i32.add (i32.const 1) (call_indirect (type $t) (local.get 0) (i32.const 0))))";
    let host = "(func $f (param i32) (result i32)
        (drop (call $host_call (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
          (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
        (i32.add (i32.const 1) (call $f (local.get 0))))";
    for functions in [direct, mutual, table, host] {
        let items = format!("{memory} {functions}");
        let actor = load(&engine, guest_with(&items, "(call $f (i32.const 0))")).await;
        for _ in 0..2 {
            assert_eq!(fails(&actor, b"").await.code(), Code::Stack, "{functions}");
        }
    }
}

#[tokio::test]
async fn c3_growth_beyond_the_limits_answers_minus_one() {
    let engine = engine();
    let limits =
        ActorLimits { memory_bytes_max: 2 << 20, table_elements_max: 10, ..ActorLimits::default() };
    // Grows until refused, answers how often it could.
    let body = r#"(local $n i32)
        (loop $l (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1))
          (then (local.set $n (i32.add (local.get $n) (i32.const 1))) (br $l))))
        (loop $l (if (i32.ne (table.grow (ref.null func) (i32.const 1)) (i32.const -1))
          (then (local.set $n (i32.add (local.get $n) (i32.const 1))) (br $l))))
        (i32.store8 (i32.const 0) (local.get $n))
        (call $response (i32.const 0) (i32.const 1)) (i32.const 1)"#;
    let items = "(memory (export \"memory\") 1) (table 0 funcref)";
    let actor = load_with(&engine, guest_with(items, body), limits.clone()).await;
    let reply = actor.call(request("")).await.expect("refusals are not errors");
    assert_eq!(reply[..], [31 + 10], "32 pages and 10 elements");
    let storm = "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
        (unreachable)";
    let actor = load_with(&engine, guest(storm), limits).await;
    let error = fails(&actor, b"").await;
    assert_eq!(error.code(), Code::Memory);
    assert!(error.message().contains("actor_memory_bytes_max"), "{error}");
    assert!(error.message().contains("(`limits.memory` in the manifest)"), "{error}");
    assert_eq!(engine.metrics().limit_hits("actor_memory_bytes_max"), 1);
}

/// Memory this process has in use.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has /proc");
    let pages: usize = statm.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("a number");
    pages * 4096
}

#[tokio::test]
async fn c4_touched_memory_is_given_back() {
    let engine = engine();
    let body = "(memory.fill (i32.const 0) (i32.const 7) (i32.const 33554432)) (i32.const 1)";
    let memory = "(memory (export \"memory\") 512)";
    let actor = load_fresh(&engine, guest_with(memory, body)).await;
    actor.call(request("")).await.expect("touches 32 MiB");
    let before = resident_bytes();
    let rounds = rounds(60, 1_000);
    for _ in 0..rounds {
        actor.call(request("")).await.expect("touches 32 MiB");
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 64 << 20, "grew by {grown} bytes over {rounds} x 32 MiB");
}

#[tokio::test]
async fn c5_every_trap_is_named_and_its_instance_discarded() {
    let engine = engine();
    let items = r#"(memory (export "memory") 1) (table 2 funcref) (elem (i32.const 0) $h)
        (type $none (func)) (func $h (param i32))"#;
    let cases = [
        ("(unreachable)", "unreachable code"),
        ("(i32.div_u (i32.const 1) (i32.load (i32.const 64)))", "division by zero"),
        ("(i32.load (i32.const 65536))", "out of bounds"),
        ("(call_indirect (type $none) (i32.const 0)) (i32.const 1)", "another type"),
        ("(call_indirect (type $none) (i32.const 1)) (i32.const 1)", "nothing"),
        ("(call_indirect (type $none) (i32.const 9)) (i32.const 1)", "table access"),
        ("(i32.trunc_f32_s (f32.const nan))", "not an integer"),
    ];
    for (trap, kind) in cases {
        // The canary: a call that finds it set saw memory of the call that trapped.
        let body = format!(
            "(if (i32.load8_u (i32.const 100)) (then (return (i32.const 0))))
             (i32.store8 (i32.const 100) (i32.const 1)) {trap}"
        );
        let actor = load(&engine, guest_with(items, &body)).await;
        for _ in 0..3 {
            let error = fails(&actor, b"").await;
            assert_eq!(error.code(), Code::Trap, "{trap}");
            assert!(error.message().contains(kind), "{error} for {trap}");
        }
        assert_eq!(actor.stats().instances, 0);
    }
}

#[tokio::test]
async fn c6_no_memory_reaches_the_next_tenant() {
    // Two slots for all, so that every instance lives where another one died.
    let config = trellis_engine::EngineConfig { instances_total_max: 2, ..config() };
    let engine = Engine::new(config).expect("two instances fit");
    let write = "(memory.fill (i32.const 0) (i32.const 0xAA) (i32.const 262144)) (i32.const 1)";
    // Answers how many of its first 256 KiB are not zero.
    let read = "(local $i i32) (local $n i32)
        (loop $l
          (local.set $n (i32.add (local.get $n)
            (i64.ne (i64.load (local.get $i)) (i64.const 0))))
          (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 8)))
            (i32.const 262144))))
        (i32.store (i32.const 0) (local.get $n))
        (call $response (i32.const 0) (i32.const 4))
        (i32.store (i32.const 0) (i32.const 0)) (i32.const 1)";
    let memory = "(memory (export \"memory\") 4)";
    for isolation in [Isolation::Fresh, Isolation::Reuse] {
        let load = |body| {
            let spec = ModuleSpec { isolation, ..spec(guest_with(memory, body)) };
            engine.load(spec, Arc::new(EchoHost))
        };
        let writers = [load(write).await.expect("loads"), load(write).await.expect("loads")];
        let reader = load(read).await.expect("loads");
        for _ in 0..rounds(150, 100_000) {
            for writer in &writers {
                writer.call(request("")).await.expect("writes");
            }
            let reply = reader.call(request("")).await.expect("reads");
            assert_eq!(reply[..], [0; 4], "{isolation:?}");
        }
    }
}

/// Makes a host call with eight numbers from its payload.
fn pointers() -> Vec<u8> {
    let numbers: String =
        (0..8).map(|i| format!("(i32.load offset={} (i32.const 0))", i * 4)).collect();
    guest(&format!("(call $request (i32.const 256) (i32.const 0)) (call $host_call {numbers})"))
}

/// Numbers that lie at the edges of a memory of one page, and any others.
fn number() -> impl Strategy<Value = u32> {
    let edges = vec![0, 1, 300, 65_535, 65_536, 65_537, 0x7fff_ffff, 0x8000_0000, u32::MAX];
    prop_oneof![prop::sample::select(edges), any::<u32>(), 0_u32..70_000]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn c7_no_pointer_of_a_host_call_escapes(
        calls in prop::collection::vec([(); 8].map(|()| number()), 20)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let engine = c7_engine();
            let actor = load(engine, pointers()).await;
            for numbers in calls {
                let payload: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
                let end = |at: usize| u64::from(numbers[at]) + u64::from(numbers[at + 1]);
                let fits = |at: usize| end(at) <= 65_536;
                let inside = [0, 2, 4, 6].into_iter().all(fits);
                match actor.call(request(Bytes::from(payload))).await {
                    Ok(_) => assert!(inside, "{numbers:?}"),
                    Err(error) if error.code() == Code::Guest => assert!(inside, "{numbers:?}"),
                    Err(error) => {
                        assert_eq!(error.code(), Code::GuestPointer);
                        assert!(!inside, "{numbers:?}");
                    }
                }
            }
        });
    }
}

/// One engine for all cases: making one takes longer than a case.
fn c7_engine() -> &'static Engine {
    static ENGINE: std::sync::OnceLock<Engine> = std::sync::OnceLock::new();
    ENGINE.get_or_init(engine)
}

#[tokio::test]
async fn c7_every_other_import_checks_its_pointers() {
    let engine = engine();
    for call in [
        "(call $request (i32.const 65535) (i32.const 0))",
        "(call $request (i32.const 0) (i32.const 65535))",
        "(call $response (i32.const 65536) (i32.const 1))",
        "(call $response (i32.const -1) (i32.const -1))",
        "(call $error (i32.const 1) (i32.const 65536))",
        "(call $log (i32.const 0) (i32.const -1))",
        "(drop (call $host_call (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
           (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 9)))
         (call $host_response (i32.const 65530))",
    ] {
        let actor = load(&engine, guest(&format!("{call} (i32.const 1)"))).await;
        assert_eq!(fails(&actor, b"payload").await.code(), Code::GuestPointer, "{call}");
    }
}

#[tokio::test]
async fn c8_names_and_payloads_are_bounded() {
    let engine = engine();
    let small = ActorLimits { payload_bytes_max: 100, ..ActorLimits::default() };
    let actor = load_with(&engine, echo(), small.clone()).await;
    let error = fails(&actor, &[b'x'; 101]).await;
    assert_eq!(error.code(), Code::TooLarge);
    let mut bad = request("");
    bad.operation = "Get\n".into();
    assert_eq!(actor.call(bad).await.expect_err("a bad name").code(), Code::BadName);
    let big = "(call $response (i32.const 0) (i32.const 101)) (i32.const 1)";
    let actor = load_with(&engine, guest(big), small.clone()).await;
    assert_eq!(fails(&actor, b"").await.code(), Code::TooLarge);
    let items =
        |name: &str| format!("(memory (export \"memory\") 4) (data (i32.const 512) \"{name}\")");
    for (name, len) in [("a\\00", 2), ("\\ff", 1), ("\\1b[2J", 4), ("\\0a", 1), ("", 257)] {
        let call = FORWARD.replacen("(i32.const 2)", &format!("(i32.const {len})"), 1);
        let actor = load(&engine, guest_with(&items(name), &call)).await;
        let error = fails(&actor, b"x").await;
        assert!(error.message().starts_with("E_BAD_NAME: the binding name"), "{error}");
    }
    let call = FORWARD.replace("(local.get $len)", "(i32.const 101)");
    let actor = load_with(&engine, guest_with(FORWARD_DATA, &call), small).await;
    assert!(fails(&actor, b"x").await.message().starts_with("E_TOO_LARGE"), "told to the guest");
}
