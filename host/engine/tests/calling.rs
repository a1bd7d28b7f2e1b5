//! Rows C9 to C13: the ABI, state between calls, re-entrancy, floods.

mod common;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::*;
use proptest::prelude::*;
use trellis_core::{CallError, Code, Trace};
use trellis_engine::{
    Actor, BoxFuture, Call, Engine, EngineConfig, HostCall, HostCalls, LogSource, ModuleSpec,
};
use trellis_limits::{ActorLimits, named};

#[tokio::test]
async fn c9_what_cannot_be_served_is_named() {
    let engine = engine();
    let call = "(func (export \"__guest_call\") (param i32 i32) (result i32) (i32.const 1))";
    let memory = "(memory (export \"memory\") 1)";
    let cases = [
        (format!("(module {call})"), "`memory`"),
        (format!("(module {memory})"), "`__guest_call`"),
        (
            format!("(module {memory} (func (export \"__guest_call\") (param i32)))"),
            "(i32) -> (), expected (i32, i32) -> (i32)",
        ),
        (format!("(module (import \"env\" \"evil\" (func)) {memory} {call})"), "`env.evil`"),
        (format!("(module (import \"wapc\" \"__x\" (func)) {memory} {call})"), "`wapc.__x`"),
        (
            format!("(module (import \"wapc\" \"__console_log\" (func)) {memory} {call})"),
            "`wapc.__console_log` has the type () -> ()",
        ),
        (
            format!("(module (import \"wapc\" \"__host_call\" (memory 1)) {memory} {call})"),
            "must be a function",
        ),
        (
            format!(
                "(module (import \"wapc\" \"__host_call\"
                   (func (param i32 i32 i32 i32 i32) (result i32))) {memory} {call})"
            ),
            "expected 8, 6 or 4 x i32",
        ),
        (
            format!("(module (import \"wasi_snapshot_preview1\" \"x\" (func)) {memory} {call})"),
            "`wasi_snapshot_preview1.x`",
        ),
        (
            format!("(module (import \"env\" \"memory\" (memory 1)) {memory} {call})"),
            "`env.memory`",
        ),
    ];
    for (text, names) in cases {
        let error = refused(&engine, wasm(&text)).await;
        assert_eq!(error.code(), Code::ModuleAbi, "{text}");
        assert!(error.message().contains(names), "{error} for {text}");
    }
}

/// Fails every host call with one code.
struct Failing(Code);

impl HostCalls for Failing {
    fn host_call<'a>(&'a self, _: HostCall<'a>) -> BoxFuture<'a, Result<Bytes, CallError>> {
        let error = CallError::new(self.0, "why");
        Box::pin(async move { Err(error) })
    }
}

#[tokio::test]
async fn an_outage_is_passed_on_and_a_refusal_is_not() {
    let cases = [
        (Code::Provider, Code::Provider, "why"),
        (Code::Timeout, Code::Timeout, "why"),
        (Code::Busy, Code::Provider, "E_BUSY: why"),
        (Code::Denied, Code::Guest, "E_DENIED: why"),
    ];
    for (of_host, of_guest, says) in cases {
        let actor = engine().load(spec(forward()), Arc::new(Failing(of_host))).await;
        let error = fails(&actor.expect("the guest loads"), b"x").await;
        assert_eq!((error.code(), error.message()), (of_guest, says));
    }
}

/// Is out, but for the log.
struct OutButLog;

impl HostCalls for OutButLog {
    fn host_call<'a>(&'a self, call: HostCall<'a>) -> BoxFuture<'a, Result<Bytes, CallError>> {
        let outcome = match call.operation {
            "log" => Ok(Bytes::new()),
            _ => Err(CallError::new(Code::Provider, "why")),
        };
        Box::pin(async move { outcome })
    }
}

#[tokio::test]
async fn an_outage_stays_one_when_the_guest_logs_it_first() {
    let items = r#"(memory (export "memory") 1)
        (data (i32.const 8) "get") (data (i32.const 16) "log")"#;
    let host_call = |operation| {
        let name = format!("(i32.const {operation}) (i32.const 3)");
        format!("(drop (call $host_call {name} {name} {name} (i32.const 0) (i32.const 0)))")
    };
    // The operation `x` calls nothing that fails, and says what the call before was told.
    let body = format!(
        "(if (i32.eqz (local.get $len)) (then
           {} (call $host_error (i32.const 1024))))
         {} (call $error (i32.const 1024) (i32.const 15)) (i32.const 0)",
        host_call(8),
        host_call(16),
    );
    let actor = engine().load(spec(guest_with(items, &body)), Arc::new(OutButLog)).await;
    let actor = actor.expect("the guest loads");
    let error = fails(&actor, b"").await;
    assert_eq!((error.code(), error.message()), (Code::Provider, "why"));
    let error = fails(&actor, b"x").await;
    assert_eq!((error.code(), error.message()), (Code::Guest, "E_PROVIDER: why"));
}

#[tokio::test]
async fn no_guest_can_make_up_an_outage() {
    let items = r#"(memory (export "memory") 1) (data (i32.const 8) "E_PROVIDER: why")"#;
    let says = guest_with(items, "(call $error (i32.const 8) (i32.const 15)) (i32.const 0)");
    let actor = engine().load(spec(says), Arc::new(Failing(Code::Provider))).await;
    let error = fails(&actor.expect("the guest loads"), b"x").await;
    assert_eq!((error.code(), error.message()), (Code::Guest, "E_PROVIDER: why"));
}

/// Answers `ok` to the operation `yes`, refuses the rest.
struct YesOrNo;

impl HostCalls for YesOrNo {
    fn host_call<'a>(&'a self, call: HostCall<'a>) -> BoxFuture<'a, Result<Bytes, CallError>> {
        let answer = match call.operation {
            "yes" => Ok(Bytes::from_static(b"ok")),
            _ => Err(CallError::new(Code::Denied, "no")),
        };
        Box::pin(async move { answer })
    }
}

/// A guest that does what each byte of its payload says.
fn script_guest() -> Vec<u8> {
    let items = r#"(memory (export "memory") 1)
        (data (i32.const 8) "A") (data (i32.const 9) "BB") (data (i32.const 11) "e")
        (data (i32.const 12) "yes") (data (i32.const 15) "no")
        (func $ask (param i32 i32)
          (drop (call $host_call (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
            (local.get 0) (local.get 1) (i32.const 0) (i32.const 0))))"#;
    let body = "(local $i i32) (call $request (i32.const 32) (i32.const 1024))
        (block $end (loop $next
          (br_if $end (i32.ge_u (local.get $i) (local.get $len)))
          (block $stop (block $e (block $r (block $n (block $y (block $f (block $b (block $a
            (br_table $a $b $f $y $n $r $e $stop
              (i32.load8_u offset=1024 (local.get $i))))
            (call $response (i32.const 8) (i32.const 1)) (br $stop))
            (call $response (i32.const 9) (i32.const 2)) (br $stop))
            (call $error (i32.const 11) (i32.const 1)) (br $stop))
            (call $ask (i32.const 12) (i32.const 3)) (br $stop))
            (call $ask (i32.const 15) (i32.const 2)) (br $stop))
            (call $host_response (i32.const 2048))
            (call $response (i32.const 2048) (call $host_response_len)) (br $stop))
            (call $host_error (i32.const 2048))
            (call $response (i32.const 2048) (call $host_error_len)))
          (if (i32.eq (i32.load8_u offset=1024 (local.get $i)) (i32.const 7))
            (then (return (i32.const 0))))
          (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $next)))
        (i32.const 1)";
    guest_with(items, body)
}

/// What the script must give, if every call begins with nothing.
fn expected(script: &[u8]) -> Result<&'static str, &'static str> {
    let (mut response, mut error) = ("", None);
    let (mut host_response, mut host_error) = ("", "");
    for step in script {
        match step {
            0 => response = "A",
            1 => response = "BB",
            2 => error = Some("e"),
            3 => (host_response, host_error) = ("ok", ""),
            4 => (host_response, host_error) = ("", "E_DENIED: no"),
            5 => response = host_response,
            6 => response = host_error,
            _ => return Err(error.unwrap_or("No error message set for call failure")),
        }
    }
    Ok(response)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn c10_no_call_sees_what_another_left(
        scripts in prop::collection::vec(prop::collection::vec(0_u8..8, 0..12), 1..12)
    ) {
        static ENGINE: OnceLock<Engine> = OnceLock::new();
        let engine = ENGINE.get_or_init(engine);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let actor = engine.load(spec(script_guest()), Arc::new(YesOrNo)).await.expect("loads");
            for script in scripts {
                let result = actor.call(request(script.clone())).await;
                match expected(&script) {
                    Ok(reply) => assert_eq!(result.expect("success"), reply, "{script:?}"),
                    Err(text) => {
                        assert_eq!(result.expect_err("failure").message(), text, "{script:?}");
                    }
                }
            }
            assert_eq!(actor.stats().instances, 1, "one instance served every call");
        });
    }
}

/// Sends every host call back into one of two actors.
#[derive(Default)]
struct Router {
    actors: OnceLock<[Actor; 2]>,
}

/// The way out of one actor, into the other.
struct Way(Arc<Router>, usize);

impl HostCalls for Way {
    fn host_call<'a>(&'a self, call: HostCall<'a>) -> BoxFuture<'a, Result<Bytes, CallError>> {
        Box::pin(async move {
            let actors = self.0.actors.get().expect("set before the first call");
            let request = Call {
                operation: call.operation.to_owned().into(),
                payload: call.payload,
                deadline: call.deadline,
                depth: call.depth + 1,
                trace: Trace::default(),
                caller: 0,
            };
            actors[self.1].call(request).await
        })
    }
}

async fn ring(engine: &Engine, limits: ActorLimits) -> [Actor; 2] {
    let router = Arc::new(Router::default());
    let load = |to: usize| {
        let spec = ModuleSpec { limits: limits.clone(), ..spec(forward()) };
        engine.load(spec, Arc::new(Way(Arc::clone(&router), to)))
    };
    let actors = [load(1).await.expect("loads"), load(0).await.expect("loads")];
    assert!(router.actors.set(actors.clone()).is_ok());
    actors
}

#[tokio::test]
async fn c11_a_cycle_ends_with_a_depth_error() {
    let engine = engine();
    let [first, second] = ring(&engine, ActorLimits::default()).await;
    let error = fails(&first, b"round").await;
    assert_eq!(error.code(), Code::Depth, "{error}");
    assert!(error.message().contains(&named("call_depth_max")), "{error}");
    let limits = first.limits().call_depth_max;
    assert_eq!(first.stats().instances + second.stats().instances, limits + 1);
}

#[tokio::test]
async fn c11_a_cycle_without_instances_is_busy_and_no_deadlock() {
    let engine = engine();
    let limits = ActorLimits { instances_max: 1, ..ActorLimits::default() };
    let [first, _] = ring(&engine, limits).await;
    let error = first
        .call(request_within("round", Duration::from_millis(100)))
        .await
        .expect_err("its only instance waits for itself");
    assert!(matches!(error.code(), Code::Provider | Code::Timeout), "{error}");
    assert!(first.drain(Instant::now() + Duration::from_secs(5)).await, "nothing hangs");
}

#[tokio::test]
async fn c12_a_log_flood_is_dropped_and_reported() {
    let lines = Arc::new(Lines::default());
    let engine = Engine::new(EngineConfig { log: lines.clone(), ..config() }).expect("starts");
    let items = r#"(memory (export "memory") 1) (data (i32.const 0) "x\0a{\22level\22:1}")"#;
    let body = "(local $i i32) (loop $l (call $log (i32.const 0) (i32.const 13))
        (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
          (i32.const 50000)))) (i32.const 1)";
    let actor = load(&engine, guest_with(items, body)).await;
    actor.call(request("")).await.expect("a flood is no error");
    drop(actor);
    drop(engine);
    let texts = lines.texts();
    assert!(texts.len() < 5_000, "{} lines passed", texts.len());
    assert_eq!(texts[0], "x\\n{\"level\":1}");
    let reported: usize = texts
        .iter()
        .filter(|text| text.contains("log lines dropped"))
        .filter_map(|text| text.split(' ').next()?.parse::<usize>().ok())
        .sum();
    let passed = texts.iter().filter(|text| text.starts_with('x')).count();
    assert_eq!(passed + reported, 50_000);
}

#[tokio::test]
async fn c13_a_host_call_flood_meets_its_quota() {
    let engine = engine();
    // Calls until refused, then hands over the host's words.
    let body = "(loop $l (br_if $l (call $host_call (i32.const 0) (i32.const 0) (i32.const 0)
          (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))))
        (call $host_error (i32.const 0)) (call $error (i32.const 0) (call $host_error_len))
        (i32.const 0)";
    let limits = ActorLimits { host_calls_per_call_max: 1_000, ..ActorLimits::default() };
    let spec = ModuleSpec { limits, ..spec(guest(body)) };
    let actor = engine.load(spec, Arc::new(EchoHost)).await.expect("loads");
    let error = fails(&actor, b"").await;
    assert_eq!(error.code(), Code::Quota, "{error}");
    assert!(error.message().contains(&named("host_calls_per_call_max")), "{error}");
    assert_eq!(engine.metrics().limit_hits("host_calls_per_call_max"), 1);
}

#[tokio::test]
async fn c13_waiting_host_calls_are_bounded_for_the_whole_host() {
    let config = EngineConfig { host_calls_in_flight_max: 3, ..config() };
    let engine = Engine::new(config).expect("starts");
    let silent = engine.load(spec(forward()), Arc::new(SilentHost)).await.expect("loads");
    let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(silent.call(request("x")))).collect();
    for call in &mut waiting {
        let polled = futures_util::poll!(call.as_mut());
        assert!(polled.is_pending());
    }
    // Instances are made on the first poll's way; let them reach their host call.
    let until = Instant::now() + Duration::from_secs(20);
    while engine.metrics().instances_live() < 3 {
        assert!(Instant::now() < until, "the instances are not made");
        for call in &mut waiting {
            assert!(futures_util::poll!(call.as_mut()).is_pending());
        }
        tokio::task::yield_now().await;
    }
    let error = fails(&silent, b"x").await;
    assert!(error.message().starts_with("E_BUSY: 3 host calls are waiting"), "{error}");
    assert!(error.message().contains(&named("host_calls_in_flight_max")), "{error}");
    assert_eq!(error.code(), Code::Provider, "no fault of the guest's, which passes it on");
    assert_eq!(engine.metrics().limit_hits("host_calls_in_flight_max"), 1);
    drop(waiting);
    let other = load(&engine, forward()).await;
    assert_eq!(other.call(request("y")).await.expect("room again"), "y");
}

/// Panics.
struct Broken;

impl HostCalls for Broken {
    fn host_call<'a>(&'a self, _call: HostCall<'a>) -> BoxFuture<'a, Result<Bytes, CallError>> {
        Box::pin(async { panic!("a provider's bug") })
    }
}

#[tokio::test]
async fn a_panic_of_the_host_is_an_error_of_the_call() {
    let engine = engine();
    let actor = engine.load(spec(forward()), Arc::new(Broken)).await.expect("loads");
    assert!(fails(&actor, b"x").await.message().starts_with("E_INTERNAL"));
    assert_eq!(actor.stats().idle, 1, "the guest is not to blame");
}

#[tokio::test]
async fn an_assemblyscript_abort_is_a_trap_with_its_message_in_the_log() {
    let lines = Arc::new(Lines::default());
    let engine = Engine::new(EngineConfig { log: lines.clone(), ..config() }).expect("starts");
    let text = r#"(module (import "env" "abort" (func $abort (param i32 i32 i32 i32)))
        (memory (export "memory") 1) (data (i32.const 4) "\08\00\00\00o\00h\00 \00!\00")
        (func (export "__guest_call") (param i32 i32) (result i32)
          (call $abort (i32.const 8) (i32.const 0) (i32.const 7) (i32.const 3)) (i32.const 1)))"#;
    let actor = load(&engine, wasm(text)).await;
    let error = fails(&actor, b"").await;
    assert_eq!(error.code(), Code::Trap);
    assert!(error.message().contains("7:3"), "{error}");
    assert_eq!(*lines.0.lock(), [(LogSource::Console, "abort: oh ! in (7:3)".to_owned())]);
}
