//! What modules say of themselves, and those that do not.

use std::time::Duration;

use serde_json::json;
use trellis_core::{Code, wire};
use trellis_limits::ActorLimits;

use super::bench::{always, binding, factory, good, limits, module, with_descriptor};

#[tokio::test(flavor = "multi_thread")]
async fn it_is_asked_what_it_serves() {
    let descriptor = factory(good(), limits()).await.expect("it says what it is").descriptor();
    assert_eq!((&*descriptor.name, &*descriptor.version), ("notes", "1.0.0"));
    let contract = descriptor.contract("test:notes").expect("its contract");
    assert!(contract.operation("Echo").is_some() && contract.operation("BindActor").is_none());
    assert!(descriptor.any_values);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_build_is_one_with_other_bytes_or_other_limits() {
    let one = factory(good(), limits()).await.expect("it says what it is");
    let same = factory(good(), limits()).await.expect("it says what it is");
    let wider = ActorLimits { instances_max: 2, ..limits() };
    let other = factory(good(), wider).await.expect("it says what it is");
    assert_eq!(one.build(), same.build());
    assert_ne!(one.build(), other.build());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_says_nothing_of_use_is_no_provider() {
    let lie = |told: &serde_json::Value| with_descriptor(&wire::encode(told).expect("it is JSON"));
    let bad_dispatch = "(call $error (i32.const 32) (i32.const 12)) (i32.const 0)";
    let asks = r#"(call $host_call (i32.const 0) (i32.const 0) (i32.const 160) (i32.const 14)
        (i32.const 176) (i32.const 3) (i32.const 0) (i32.const 0))"#;
    for (bytes, why) in [
        (always(bad_dispatch), "it does not say what it serves: bad dispatch"),
        (always("(unreachable)"), "the guest trapped: unreachable code"),
        (always("(loop $l (br $l)) (i32.const 1)"), "the actor was cut"),
        (always("(i32.const 1)"), "its descriptor is none"),
        (always(asks), "it does not say what it serves"),
        (with_descriptor(b"\xdd\xff\xff\xff\xff"), "its descriptor is none"),
        (lie(&json!({ "id": "geo" })), "no contract id"),
        (lie(&json!({ "id": "a:b", "supported_operations": [] })), "it lists no operation"),
    ] {
        let short = ActorLimits { call_time_max: Duration::from_millis(200), ..limits() };
        let error = factory(bytes, short).await.err().expect(why);
        assert_eq!(error.code(), Code::Provider, "{error}");
        assert!(error.message().contains(why), "{why}: {error}");
    }
    let error = factory(module("(memory 1)"), limits()).await.err().expect("it speaks no waPC");
    assert_eq!(error.code(), Code::ModuleAbi);
}

/// One that only has to be asked for its operations.
#[tokio::test(flavor = "multi_thread")]
async fn one_without_a_handler_of_bindings_takes_all() {
    let told = json!({ "id": "a:b", "supported_operations": [{ "name": "Go" }] });
    let told = wire::encode(&told).expect("it is JSON");
    let escaped: String = told.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let bytes = module(&format!(
        "(memory (export \"memory\") 1) (data (i32.const 0) \"{escaped}\")
         (data (i32.const 512) \"Unknown: \")
         (func (export \"__guest_call\") (param $op i32) (param $len i32) (result i32)
           (call $request (i32.const 521) (i32.const 1024))
           (if (i32.eq (i32.load8_u (i32.const 521)) (i32.const 71))
             (then (call $response (i32.const 0) (i32.const {})) (return (i32.const 1))))
           (call $error (i32.const 512) (i32.add (i32.const 9) (local.get $op)))
           (i32.const 0))",
        told.len()
    ));
    let factory = factory(bytes, limits()).await.expect("it says what it serves");
    let context =
        trellis_providers_sdk::Context::new(std::sync::Arc::new(super::bench::Asked::default()));
    let provider = factory.create(context, Default::default()).await.expect("it can be made");
    provider.bind(binding(1, "x")).await.expect("it has nothing against it");
}
