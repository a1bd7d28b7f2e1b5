//! A module written by hand, and a host that answers it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::Notify;
use trellis_core::{ActorKey, BindingId, BindingName, CallError, Code, ContractId, Trace, wire};
use trellis_engine::{Engine, EngineConfig, ModuleSource};
use trellis_limits::ActorLimits;
use trellis_providers_sdk::{
    Ask, Binding, BoxFuture, Call, Context, Invoke, Invoker, Provider, ProviderFactory, Reply,
    Values,
};
use trellis_targets::module::{ModuleFile, ModuleProviders, ProviderModule};

/// Longest wait for what has to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What the guest imports.
const IMPORTS: &str = r#"
  (import "wapc" "__guest_request" (func $request (param i32 i32)))
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  (import "wapc" "__guest_error" (func $error (param i32 i32)))
  (import "wapc" "__host_call"
    (func $host_call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wapc" "__host_response_len" (func $host_response_len (result i32)))
  (import "wapc" "__host_response" (func $host_response (param i32)))
  (import "wapc" "__host_error_len" (func $host_error_len (result i32)))
  (import "wapc" "__host_error" (func $host_error (param i32)))
"#;

/// What the guest does with an operation, by its first letter. It notes what it is told of
/// bindings, by the last letter of their values: `x` is refused, it traps over `t`, loops over `l`,
/// loops over `w` unless it is the second that this instance is told of, asks the host over `k`,
/// and traps when `q` goes.
const BODY: &str = r#"
  (global $noted (mut i32) (i32.const 0))
  (func $note (param $letter i32)
    (i32.store8 (i32.add (i32.const 32768) (global.get $noted)) (local.get $letter))
    (global.set $noted (i32.add (global.get $noted) (i32.const 1))))
  (func $ask (param $ns i32) (param $ns_len i32) (param $op i32) (param $op_len i32) (result i32)
    (if (i32.eqz (call $host_call (i32.const 0) (i32.const 0) (local.get $ns) (local.get $ns_len)
          (local.get $op) (local.get $op_len) (i32.const 0) (i32.const 0)))
      (then (call $host_error (i32.const 4096))
        (call $error (i32.const 4096) (call $host_error_len))
        (return (i32.const 0))))
    (call $host_response (i32.const 4096))
    (call $response (i32.const 4096) (call $host_response_len))
    (i32.const 1))
  (func (export "__guest_call") (param $op i32) (param $len i32) (result i32)
    (local $first i32) (local $last i32)
    (call $request (i32.const 1024) (i32.const 2048))
    (local.set $first (i32.load8_u (i32.const 1024)))
    (local.set $last (i32.load8_u (i32.add (i32.const 2047) (local.get $len))))
    (if (i32.eq (local.get $first) (i32.const 71)) ;; GetCapabilityDescriptor
      (then (call $response (i32.const 16384) (i32.const DESCRIPTOR_BYTES)) (return (i32.const 1))))
    (if (i32.eq (local.get $first) (i32.const 66)) ;; BindActor
      (then
        (if (i32.eq (local.get $last) (i32.const 120))
          (then (call $error (i32.const 64) (i32.const 14)) (return (i32.const 0))))
        (if (i32.eq (local.get $last) (i32.const 116)) (then (unreachable)))
        (if (i32.eq (local.get $last) (i32.const 108)) (then (loop $l (br $l))))
        (if (i32.and (i32.eq (local.get $last) (i32.const 119))
              (i32.ne (global.get $noted) (i32.const 1)))
          (then (loop $l (br $l))))
        (if (i32.eq (local.get $last) (i32.const 107))
          (then (return
            (call $ask (i32.const 160) (i32.const 14) (i32.const 176) (i32.const 3)))))
        (call $note (local.get $last))
        (return (i32.const 1))))
    (if (i32.eq (local.get $first) (i32.const 82)) ;; RemoveActor
      (then
        (if (i32.eq (local.get $last) (i32.const 113)) (then (unreachable)))
        (call $note (i32.const 45))
        (call $note (local.get $last))
        (call $error (i32.const 32) (i32.const 12))
        (return (i32.const 0))))
    (if (i32.eq (local.get $first) (i32.const 78)) ;; Noted
      (then (call $response (i32.const 32768) (global.get $noted)) (return (i32.const 1))))
    (if (i32.eq (local.get $first) (i32.const 69)) ;; Echo
      (then (call $response (i32.const 2048) (local.get $len)) (return (i32.const 1))))
    (if (i32.eq (local.get $first) (i32.const 88)) (then (unreachable))) ;; X
    (if (i32.eq (local.get $first) (i32.const 76)) (then (loop $l (br $l)))) ;; Loop
    (if (i32.eq (local.get $first) (i32.const 70)) ;; Fail
      (then (call $error (i32.const 80) (i32.const 21)) (return (i32.const 0))))
    (if (i32.eq (local.get $first) (i32.const 87)) ;; Who
      (then (return (call $ask (i32.const 128) (i32.const 16) (i32.const 144) (i32.const 6)))))
    (if (i32.eq (local.get $first) (i32.const 65)) ;; Ask
      (then (return (call $ask (i32.const 160) (i32.const 14) (i32.const 176) (i32.const 3)))))
    (call $error (i32.const 32) (i32.const 12))
    (i32.const 0))
"#;

const DATA: &str = r#"
  (data (i32.const 32) "bad dispatch")
  (data (i32.const 64) "E_CONFIG: no x")
  (data (i32.const 80) "E_NOT_FOUND: no place")
  (data (i32.const 128) "trellis:provider") (data (i32.const 144) "Caller")
  (data (i32.const 160) "wascc:keyvalue") (data (i32.const 176) "Get")
"#;

/// The operations of the guest that actors may ask for.
const OPERATIONS: &[&str] = &["Noted", "Echo", "X", "Loop", "Fail", "Who", "Ask"];

/// The module with its descriptor.
pub(crate) fn good() -> Vec<u8> {
    let operation = |name: &&str| json!({ "name": name, "direction": 1, "doctext": "" });
    let operations: Vec<_> = OPERATIONS.iter().map(operation).collect();
    let told = json!({ "id": "test:notes", "name": "notes", "version": "1.0.0", "revision": 0,
        "long_description": "For a test.", "supported_operations": operations });
    with_descriptor(&wire::encode(&told).expect("it is JSON"))
}

/// The module with these bytes as its descriptor.
pub(crate) fn with_descriptor(told: &[u8]) -> Vec<u8> {
    let escaped: String = told.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let body = BODY.replace("DESCRIPTOR_BYTES", &told.len().to_string());
    module(&format!(
        "(memory (export \"memory\") 4) {DATA} (data (i32.const 16384) \"{escaped}\") {body}"
    ))
}

/// A module of these items.
pub(crate) fn module(items: &str) -> Vec<u8> {
    wat::parse_str(format!("(module {IMPORTS} {items})")).expect("the test's own text is right")
}

/// A module whose every call does this.
pub(crate) fn always(body: &str) -> Vec<u8> {
    module(&format!(
        "(memory (export \"memory\") 1) {DATA}
         (func (export \"__guest_call\") (param $op i32) (param $len i32) (result i32) {body})"
    ))
}

/// A module's bytes in memory.
struct InMemory(Bytes);

impl ModuleSource for InMemory {
    fn read(&self) -> std::io::Result<Bytes> {
        Ok(self.0.clone())
    }
}

impl ModuleFile for InMemory {
    fn fetch(&self) -> BoxFuture<'_, Result<Bytes, CallError>> {
        Box::pin(async { Ok(self.0.clone()) })
    }
}

/// What a provider asked of its host, which answers once it is let.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) all: Mutex<Vec<(String, String, u32)>>,
    pub(crate) came: Notify,
    pub(crate) answers: Notify,
}

impl Invoker for Asked {
    fn invoke(&self, _: Invoke) -> BoxFuture<'_, Result<Bytes, CallError>> {
        Box::pin(async { Err(CallError::new(Code::NotFound, "no actor is called here")) })
    }

    fn ask<'a>(&'a self, ask: Ask<'a>) -> BoxFuture<'a, Result<Bytes, CallError>> {
        let Ask { namespace, operation, depth, .. } = ask;
        self.all.lock().push((namespace.to_owned(), operation.to_owned(), depth));
        self.came.notify_one();
        Box::pin(async {
            self.answers.notified().await;
            Ok(Bytes::from_static(b"asked"))
        })
    }
}

/// One instance unless a test says otherwise, as a manifest has it.
pub(crate) fn limits() -> ActorLimits {
    ActorLimits { instances_min: 1, instances_max: 1, ..ActorLimits::default() }
}

/// What a module is.
pub(crate) async fn factory(
    bytes: Vec<u8>,
    limits: ActorLimits,
) -> Result<Arc<dyn ProviderFactory>, CallError> {
    let config = EngineConfig { instances_total_max: 8, ..EngineConfig::default() };
    let engine = Engine::new(config).expect("eight instances fit everywhere");
    let module = ProviderModule { digest: [7; 32], limits, file: Arc::new(InMemory(bytes.into())) };
    ModuleProviders::new(engine).factory("notes", module).await
}

/// A provider of the good module, and what it asks.
pub(crate) async fn provider(limits: ActorLimits) -> (Arc<dyn Provider>, Arc<Asked>) {
    let asked = Arc::new(Asked::default());
    let factory = factory(good(), limits).await.expect("it says what it is");
    let made = factory.create(Context::new(Arc::clone(&asked) as Arc<_>), Values::default()).await;
    (made.expect("it can be made"), asked)
}

/// A binding with a value that ends with this letter.
pub(crate) fn binding(id: u64, letter: &str) -> Binding {
    Binding {
        id: BindingId(id),
        actor: ActorKey::new(format!("M{id}")),
        actor_name: format!("actor-{id}"),
        contract: ContractId::new("test:notes"),
        name: BindingName::default(),
        payload_bytes_max: 1 << 20,
        values: [("LETTER".to_owned(), letter.to_owned())].into_iter().collect(),
    }
}

/// A call over a binding.
pub(crate) async fn call(provider: &Arc<dyn Provider>, id: u64, operation: &'static str) -> Reply {
    call_within(provider, (id, operation), Duration::from_secs(20)).await
}

/// The same of a caller with that patience.
pub(crate) async fn call_within(
    provider: &Arc<dyn Provider>,
    (id, operation): (u64, &'static str),
    remaining: Duration,
) -> Reply {
    let call = Call {
        binding: BindingId(id),
        operation: operation.into(),
        payload: Bytes::from_static(b"payload"),
        remaining,
        trace: Trace::default(),
        depth: 3,
    };
    provider.call(call).await
}

/// Waits until an instance answers a call over a binding that was told this much.
pub(crate) async fn until_noted(provider: &Arc<dyn Provider>, id: u64, letters: &str) {
    let noted = async {
        while call(provider, id, "Noted").await.as_deref() != Ok(letters.as_bytes()) {
            // What is refused at once waits for nothing.
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, noted).await.expect("it is served");
}

/// What the instance that answers was told so far.
pub(crate) async fn noted(provider: &Arc<dyn Provider>, id: u64) -> String {
    let noted = call(provider, id, "Noted").await.expect("it answers");
    String::from_utf8(noted.to_vec()).expect("it notes letters")
}
