//! Calls that go well, and guests that say no.

mod common;

use common::*;
use std::sync::Arc;
use trellis_core::Code;

#[tokio::test]
async fn an_actor_answers_and_is_reused() {
    let engine = engine();
    let actor = load(&engine, echo()).await;
    for text in ["one", "", "three"] {
        assert_eq!(actor.call(request(text)).await.expect("echo"), text);
    }
    assert_eq!(engine.metrics().instances_created(), 1);
    assert_eq!(engine.calls(), 3);
}

#[tokio::test]
async fn fresh_actors_forget() {
    let engine = engine();
    // Answers "a", and "b" when it was called before.
    let body = r#"(call $request (i32.const 0) (i32.const 1024))
        (i32.store8 (i32.const 64) (i32.add (i32.load8_u (i32.const 64)) (i32.const 1)))
        (call $response (i32.const 64) (i32.const 1)) (i32.const 1)"#;
    let items = r#"(memory (export "memory") 1) (data (i32.const 64) "`")"#;
    let fresh = load_fresh(&engine, guest_with(items, body)).await;
    let reused = load(&engine, guest_with(items, body)).await;
    for _ in 0..3 {
        assert_eq!(fresh.call(request("")).await.expect("answers"), "a");
    }
    assert_eq!(reused.call(request("")).await.expect("answers"), "a");
    assert_eq!(reused.call(request("")).await.expect("answers"), "b");
    assert_eq!(engine.metrics().instances_live(), 1, "only the reused instance stays");
}

#[tokio::test]
async fn a_guest_reaches_the_host() {
    let engine = engine();
    let actor = load(&engine, forward()).await;
    assert_eq!(actor.call(request("to the host")).await.expect("forwarded"), "to the host");
}

#[tokio::test]
async fn a_guest_reads_the_hosts_refusal_and_lives_on() {
    let engine = engine();
    let actor = engine.load(spec(forward()), Arc::new(NoHost)).await.expect("loads");
    for _ in 0..2 {
        let error = fails(&actor, b"x").await;
        assert_eq!(error.code(), Code::Guest);
        assert_eq!(error.message(), "E_DENIED: bd/ns/op");
    }
    assert_eq!(engine.metrics().instances_created(), 1, "an error answer is not a broken guest");
}

#[tokio::test]
async fn silence_has_a_meaning() {
    let engine = engine();
    let nothing = load(&engine, guest("(i32.const 1)")).await;
    assert_eq!(nothing.call(request("x")).await.expect("success"), "");
    let failure = load(&engine, guest("(i32.const 0)")).await;
    let error = fails(&failure, b"").await;
    assert_eq!(error.message(), "No error message set for call failure");
}
