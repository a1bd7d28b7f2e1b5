//! The same cases for every form of waPC: `__host_call` with 8, 6 and 4 parameters, imported from
//! `wapc` and from `wasmbus`.

mod common;

use std::sync::Arc;

use bytes::Bytes;
use common::*;
use parking_lot::Mutex;
use trellis_core::{CallError, Code};
use trellis_engine::{
    BoxFuture, Checker, HostCall, HostCalls, LogSource, ModuleBounds, ModuleSpec, dialect, inspect,
};
use trellis_limits::ActorLimits;

/// Parameters of `__host_call`.
const ARITIES: [usize; 3] = [8, 6, 4];
const NAMESPACES: [&str; 2] = ["wapc", "wasmbus"];
/// Where the guests keep `bd` and `ns!op`.
const DATA: &str = r#"(memory (export "memory") 1)
    (data (i32.const 512) "bd") (data (i32.const 520) "ns!op")"#;

fn every_form() -> impl Iterator<Item = (usize, &'static str)> {
    ARITIES.into_iter().flat_map(|arity| NAMESPACES.map(|namespace| (arity, namespace)))
}

/// A guest of one form with `body` as its `__guest_call`.
fn guest_of(arity: usize, namespace: &str, items: &str, body: &str) -> Vec<u8> {
    let imports = IMPORTS.replace("\"wapc\"", &format!("\"{namespace}\"")).replace(
        "(param i32 i32 i32 i32 i32 i32 i32 i32)",
        &format!("(param {})", "i32 ".repeat(arity)),
    );
    wasm(&format!(
        "(module {imports} {items}
           (func (export \"__guest_call\") (param $op i32) (param $len i32) (result i32) {body}))"
    ))
}

/// A host call of one form with the payload at 1024, as the expression of its result.
fn call(arity: usize) -> String {
    let names = match arity {
        8 => "(i32.const 512) (i32.const 2) (i32.const 520) (i32.const 2) (i32.const 523)",
        6 => "(i32.const 520) (i32.const 2) (i32.const 523)",
        _ => return joined(520, 5),
    };
    format!("(call $host_call {names} (i32.const 2) (i32.const 1024) (local.get $len))")
}

fn joined(at: u32, len: u32) -> String {
    format!(
        "(call $host_call (i32.const {at}) (i32.const {len}) (i32.const 1024) (local.get $len))"
    )
}

/// Forwards the payload and answers with the reply, or with the host's words as its error.
fn forwarding(call: &str) -> String {
    format!(
        "(call $request (i32.const 0) (i32.const 1024))
         (if (i32.eqz {call})
           (then (call $host_error (i32.const 1024))
             (call $error (i32.const 1024) (call $host_error_len))
             (return (i32.const 0))))
         (call $host_response (i32.const 1024))
         (call $response (i32.const 1024) (call $host_response_len)) (i32.const 1)"
    )
}

/// Writes down what was called, and answers with the payload.
#[derive(Default)]
struct Seen(Mutex<Vec<[String; 3]>>);

impl HostCalls for Seen {
    fn host_call<'a>(&'a self, call: HostCall<'a>) -> BoxFuture<'a, Result<Bytes, CallError>> {
        let names = [call.binding, call.namespace, call.operation].map(str::to_owned);
        self.0.lock().push(names);
        Box::pin(async move { Ok(call.payload) })
    }
}

#[tokio::test]
async fn a_host_call_reaches_the_host_with_its_names() {
    let engine = engine();
    for (arity, namespace) in every_form() {
        let seen = Arc::new(Seen::default());
        let module = guest_of(arity, namespace, DATA, &forwarding(&call(arity)));
        let actor = engine.load(spec(module), seen.clone()).await.expect("loads");
        for text in ["one", "", "three"] {
            assert_eq!(actor.call(request(text)).await.expect("forwarded"), text, "{arity}");
        }
        let binding = if arity == 8 { "bd" } else { "default" };
        let names = [binding, "ns", "op"].map(str::to_owned);
        assert_eq!(*seen.0.lock(), [names.clone(), names.clone(), names], "{arity} {namespace}");
        assert_eq!(actor.stats().idle, 1, "one instance served them all");
    }
}

#[tokio::test]
async fn a_refusal_is_read_by_the_guest_and_forgotten() {
    let engine = engine();
    for (arity, namespace) in every_form() {
        let module = guest_of(arity, namespace, DATA, &forwarding(&call(arity)));
        let actor = engine.load(spec(module), Arc::new(NoHost)).await.expect("loads");
        let binding = if arity == 8 { "bd" } else { "default" };
        for _ in 0..2 {
            let error = fails(&actor, b"x").await;
            assert_eq!(error.code(), Code::Guest);
            assert_eq!(error.message(), format!("E_DENIED: {binding}/ns/op"), "{namespace}");
        }
        // A host call begins without the words of the one before.
        let body = format!(
            "(drop {}) (call $response (i32.const 0) (call $host_error_len)) (i32.const 1)",
            call(arity)
        );
        let module = guest_of(arity, namespace, DATA, &body);
        let actor = engine.load(spec(module), Arc::new(EchoHost)).await.expect("loads");
        assert_eq!(actor.call(request("x")).await.expect("no error is left"), "");
    }
}

#[tokio::test]
async fn no_pointer_of_any_form_escapes() {
    let engine = engine();
    for (arity, namespace) in every_form() {
        for bad in 0..arity / 2 {
            let numbers: String = (0..arity)
                .map(|at| match at {
                    at if at == 2 * bad => "(i32.const 65530) ".to_owned(),
                    at if at == 2 * bad + 1 => "(i32.const 7) ".to_owned(),
                    _ => "(i32.const 0) ".to_owned(),
                })
                .collect();
            let body = format!("(drop (call $host_call {numbers})) (i32.const 1)");
            let actor = load(&engine, guest_of(arity, namespace, DATA, &body)).await;
            let error = fails(&actor, b"").await;
            assert_eq!(error.code(), Code::GuestPointer, "{arity} {namespace} {bad}: {error}");
        }
    }
}

#[tokio::test]
async fn every_form_is_bounded_alike() {
    let engine = engine();
    for (arity, namespace) in every_form() {
        let module = guest_of(arity, namespace, DATA, &forwarding(&call(arity)));
        let load = async |limits| {
            let spec = ModuleSpec { limits, ..spec(module.clone()) };
            engine.load(spec, Arc::new(EchoHost)).await.expect("loads")
        };
        let names = engine.metrics().limit_hits("name_bytes_max");
        let actor = load(ActorLimits { name_bytes_max: 1, ..ActorLimits::default() }).await;
        let mut short = request("x");
        short.operation = "o".into();
        let error = actor.call(short).await.expect_err("its names have two bytes");
        assert!(error.message().starts_with("E_BAD_NAME: the "), "{error}");
        assert_eq!(engine.metrics().limit_hits("name_bytes_max"), names + 1, "{arity}");
        let none = ActorLimits { host_calls_per_call_max: 0, ..ActorLimits::default() };
        let error = fails(&load(none).await, b"x").await;
        assert_eq!(error.code(), Code::Quota, "{error}");
        let body = forwarding(&call(arity).replace("(local.get $len)", "(i32.const 101)"));
        let spec = ModuleSpec {
            limits: ActorLimits { payload_bytes_max: 100, ..ActorLimits::default() },
            ..spec(guest_of(arity, namespace, DATA, &body))
        };
        let actor = engine.load(spec, Arc::new(EchoHost)).await.expect("loads");
        let error = fails(&actor, b"x").await;
        assert!(error.message().starts_with("E_TOO_LARGE"), "{error}");
    }
}

#[tokio::test]
async fn the_joined_operation_is_taken_apart_at_its_first_mark() {
    let engine = engine();
    let cases = [
        ("wascc:keyvalue!Add", Ok(["wascc:keyvalue", "Add"])),
        ("a!b!c", Ok(["a", "b!c"])),
        ("!Add", Ok(["", "Add"])),
        ("Add", Err("E_BAD_NAME: the operation does not say of which capability")),
        ("", Err("E_BAD_NAME: the operation does not say of which capability")),
    ];
    for (text, expected) in cases {
        let seen = Arc::new(Seen::default());
        let items = format!("(memory (export \"memory\") 1) (data (i32.const 520) \"{text}\")");
        let len = u32::try_from(text.len()).expect("short");
        let module = guest_of(4, "wapc", &items, &forwarding(&joined(520, len)));
        let actor = engine.load(spec(module), seen.clone()).await.expect("loads");
        let result = actor.call(request("x")).await;
        match expected {
            Ok(names) => {
                assert_eq!(result.expect("forwarded"), "x");
                assert_eq!(seen.0.lock()[0][1..], names.map(str::to_owned));
            }
            Err(begins) => {
                let error = result.expect_err("no capability");
                assert!(error.message().starts_with(begins), "{error}");
                assert!(seen.0.lock().is_empty());
            }
        }
    }
    // A text as long as the memory is not searched to its end.
    let module = guest_of(4, "wapc", DATA, &forwarding(&joined(0, 60_000)));
    let error = fails(&load(&engine, module).await, b"x").await;
    assert!(error.message().contains("name_bytes_max is 256"), "{error}");
}

#[tokio::test]
async fn start_functions_run_for_every_form() {
    for (arity, namespace) in every_form() {
        let lines = Arc::new(Lines::default());
        let config = trellis_engine::EngineConfig { log: lines.clone(), ..config() };
        let engine = trellis_engine::Engine::new(config).expect("starts");
        let items = format!(
            r#"{DATA} (data (i32.const 0) "sw")
               (func (export "_start") (call $log (i32.const 0) (i32.const 1)))
               (func (export "wapc_init") (call $log (i32.const 1) (i32.const 1)))"#
        );
        let module = guest_of(arity, namespace, &items, "(i32.const 1)");
        load(&engine, module).await.call(request("")).await.expect("starts");
        let console = |text: &str| (LogSource::Console, text.to_owned());
        assert_eq!(*lines.0.lock(), [console("s"), console("w")], "{arity} {namespace}");
    }
}

#[test]
fn a_module_says_which_form_it_speaks() {
    for (arity, namespace) in every_form() {
        let module = guest_of(arity, namespace, DATA, "(i32.const 1)");
        let shape = inspect(&module).expect("well-formed");
        let expected = format!("{namespace}, host call with {arity} arguments");
        assert_eq!(dialect(&shape).to_string(), expected);
        let checker = Checker::new().expect("the runtime starts");
        checker
            .check(&module, &ModuleBounds::of(&ActorLimits::default()))
            .expect("it can be served");
    }
    let silent = wasm(
        "(module (func (export \"__guest_call\") (param i32 i32) (result i32) (i32.const 1)))",
    );
    let shape = inspect(&silent).expect("well-formed");
    assert_eq!(dialect(&shape).to_string(), "wapc, no host calls");
    let other = wasm("(module (memory (export \"memory\") 1))");
    assert_eq!(dialect(&inspect(&other).expect("well-formed")).to_string(), "unknown");
}

#[tokio::test]
async fn two_forms_in_one_module_are_refused() {
    let two = r#"(module
        (import "wapc" "__host_call" (func (param i32 i32 i32 i32) (result i32)))
        (import "wasmbus" "__host_call" (func (param i32 i32 i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "__guest_call") (param i32 i32) (result i32) (i32.const 1)))"#;
    let error = refused(&engine(), wasm(two)).await;
    assert_eq!(error.code(), Code::ModuleAbi);
    assert!(error.message().contains("in two forms"), "{error}");
}

#[tokio::test]
async fn a_start_function_that_cannot_be_called_is_named() {
    let engine = engine();
    let cases = [
        ("(func (export \"wapc_init\") (result i32) (i32.const 0))", "`wapc_init` has the type"),
        ("(func (export \"_start\") (param i32))", "`_start` has the type"),
        ("(func (export \"_initialize\") (param i32))", "`_initialize` has the type"),
        ("(global (export \"wapc_init\") i32 (i32.const 0))", "`wapc_init` must be a function"),
    ];
    for (item, names) in cases {
        let items = format!("(memory (export \"memory\") 1) {item}");
        let error = refused(&engine, guest_with(&items, ECHO)).await;
        assert_eq!(error.code(), Code::ModuleAbi, "{item}");
        assert!(error.message().contains(names), "{error}");
    }
}
