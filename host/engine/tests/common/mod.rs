//! Guests written by hand, and a host that answers them.
#![allow(dead_code, reason = "every test file uses its own part of this")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use trellis_core::{CallError, Code, Trace};
use trellis_engine::{
    Actor, BoxFuture, Call, Engine, EngineConfig, HostCall, HostCalls, Isolation, LogSink,
    LogSource, ModuleSpec,
};

/// The imports every hand-written guest may use.
pub(crate) const IMPORTS: &str = r#"
  (import "wapc" "__guest_request" (func $request (param i32 i32)))
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  (import "wapc" "__guest_error" (func $error (param i32 i32)))
  (import "wapc" "__host_call"
    (func $host_call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wapc" "__host_response_len" (func $host_response_len (result i32)))
  (import "wapc" "__host_response" (func $host_response (param i32)))
  (import "wapc" "__host_error_len" (func $host_error_len (result i32)))
  (import "wapc" "__host_error" (func $host_error (param i32)))
  (import "wapc" "__console_log" (func $log (param i32 i32)))
"#;

/// A guest with `body` as its `__guest_call` (locals `$op` and `$len` are the sizes).
pub(crate) fn guest(body: &str) -> Vec<u8> {
    guest_with("(memory (export \"memory\") 1)", body)
}

/// The same with `items` (a memory at least) beside it.
pub(crate) fn guest_with(items: &str, body: &str) -> Vec<u8> {
    wasm(&format!(
        "(module {IMPORTS} {items}
           (func (export \"__guest_call\") (param $op i32) (param $len i32) (result i32) {body}))"
    ))
}

pub(crate) fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the test's own text is right")
}

/// Answers with the payload it was called with.
pub(crate) const ECHO: &str = "(call $request (i32.const 0) (i32.const 1024))
    (call $response (i32.const 1024) (local.get $len)) (i32.const 1)";

/// Forwards its payload to `binding`/`ns`/its operation, and answers with the reply; with the
/// host's error text as its own error otherwise.
pub(crate) const FORWARD_DATA: &str =
    r#"(memory (export "memory") 4) (data (i32.const 512) "bd") (data (i32.const 520) "ns")"#;
pub(crate) const FORWARD: &str = "(call $request (i32.const 0) (i32.const 1024))
    (if (i32.eqz (call $host_call (i32.const 512) (i32.const 2) (i32.const 520) (i32.const 2)
          (i32.const 0) (local.get $op) (i32.const 1024) (local.get $len)))
      (then (call $host_error (i32.const 1024))
        (call $error (i32.const 1024) (call $host_error_len))
        (return (i32.const 0))))
    (call $host_response (i32.const 1024))
    (call $response (i32.const 1024) (call $host_response_len)) (i32.const 1)";

pub(crate) fn echo() -> Vec<u8> {
    guest(ECHO)
}

pub(crate) fn forward() -> Vec<u8> {
    guest_with(FORWARD_DATA, FORWARD)
}

/// An engine small enough to be made for every test.
pub(crate) fn config() -> EngineConfig {
    EngineConfig { instances_total_max: 100, ..EngineConfig::default() }
}

pub(crate) fn engine() -> Engine {
    Engine::new(config()).expect("a hundred instances fit everywhere")
}

pub(crate) fn spec(bytes: Vec<u8>) -> ModuleSpec {
    let digest = *blake3::hash(&bytes).as_bytes();
    ModuleSpec::new("guest", bytes, digest)
}

pub(crate) async fn load(engine: &Engine, bytes: Vec<u8>) -> Actor {
    engine.load(spec(bytes), Arc::new(EchoHost)).await.expect("the guest loads")
}

pub(crate) async fn load_fresh(engine: &Engine, bytes: Vec<u8>) -> Actor {
    let spec = ModuleSpec { isolation: Isolation::Fresh, ..spec(bytes) };
    engine.load(spec, Arc::new(EchoHost)).await.expect("the guest loads")
}

/// How often a test repeats itself: `TRELLIS_THOROUGH=1` asks for as often as the threat it is
/// about was written down.
pub(crate) fn rounds(quick: usize, thorough: usize) -> usize {
    if std::env::var_os("TRELLIS_THOROUGH").is_some() { thorough } else { quick }
}

pub(crate) fn request(payload: impl Into<Bytes>) -> Call {
    request_within(payload, Duration::from_secs(20))
}

pub(crate) fn request_within(payload: impl Into<Bytes>, time: Duration) -> Call {
    Call {
        operation: "op".into(),
        payload: payload.into(),
        deadline: Instant::now() + time,
        depth: 0,
        trace: Trace::default(),
        caller: 0,
    }
}

/// Calls and gives the code of the failure.
pub(crate) async fn fails(actor: &Actor, payload: &'static [u8]) -> CallError {
    actor.call(request(payload)).await.expect_err("the call must fail")
}

pub(crate) async fn refused(engine: &Engine, bytes: Vec<u8>) -> CallError {
    engine.load(spec(bytes), Arc::new(EchoHost)).await.err().expect("the module must be refused")
}

/// Lets others run until `what` is so; a test that waits in vain says for what.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < until, "waited in vain: {what}");
        tokio::task::yield_now().await;
    }
}

/// Answers every host call with its payload.
pub(crate) struct EchoHost;

impl HostCalls for EchoHost {
    fn host_call<'a>(&'a self, call: HostCall<'a>) -> BoxFuture<'a, Result<Bytes, CallError>> {
        Box::pin(async move { Ok(call.payload) })
    }
}

/// Refuses every host call.
pub(crate) struct NoHost;

impl HostCalls for NoHost {
    fn host_call<'a>(&'a self, call: HostCall<'a>) -> BoxFuture<'a, Result<Bytes, CallError>> {
        let message = format!("{}/{}/{}", call.binding, call.namespace, call.operation);
        Box::pin(async move { Err(CallError::new(Code::Denied, message)) })
    }
}

/// Never answers.
pub(crate) struct SilentHost;

impl HostCalls for SilentHost {
    fn host_call<'a>(&'a self, _call: HostCall<'a>) -> BoxFuture<'a, Result<Bytes, CallError>> {
        Box::pin(std::future::pending())
    }
}

/// Keeps every line.
#[derive(Default)]
pub(crate) struct Lines(pub(crate) Mutex<Vec<(LogSource, String)>>);

impl LogSink for Lines {
    fn line(&self, _actor: &str, source: LogSource, line: &str) {
        self.0.lock().push((source, line.to_owned()));
    }
}

impl Lines {
    pub(crate) fn texts(&self) -> Vec<String> {
        self.0.lock().iter().map(|(_, text)| text.clone()).collect()
    }
}
