//! Guests that import WASI, and the order of start functions.

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::*;
use trellis_core::Code;
use trellis_engine::{Engine, EngineConfig, LogSource};

const WRITE: &str = r#"(func $print (param i32 i32)
    (i32.store (i32.const 0) (local.get 0)) (i32.store (i32.const 4) (local.get 1))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))"#;

fn wasi_guest(namespace: &str, items: &str, body: &str) -> Vec<u8> {
    wasm(&format!(
        r#"(module
          (import "{namespace}" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
          (import "{namespace}" "proc_exit" (func $exit (param i32)))
          (import "{namespace}" "environ_sizes_get" (func $env (param i32 i32) (result i32)))
          (import "{namespace}" "args_sizes_get" (func $args (param i32 i32) (result i32)))
          (import "{namespace}" "fd_prestat_get" (func $prestat (param i32 i32) (result i32)))
          (import "{namespace}" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
          (import "{namespace}" "random_get" (func $random (param i32 i32) (result i32)))
          (import "wapc" "__guest_response" (func $response (param i32 i32)))
          (memory (export "memory") 1) {WRITE} {items}
          (func (export "__guest_call") (param $op i32) (param $len i32) (result i32) {body}))"#
    ))
}

fn engine_with_log() -> (Engine, Arc<Lines>) {
    let lines = Arc::new(Lines::default());
    let config = EngineConfig { log: lines.clone(), ..config() };
    (Engine::new(config).expect("starts"), lines)
}

#[tokio::test]
async fn both_generations_print_whole_lines_to_the_log() {
    for namespace in ["wasi_snapshot_preview1", "wasi_unstable"] {
        let (engine, lines) = engine_with_log();
        let items = r#"(data (i32.const 100) "one\0atwo") (data (i32.const 110) "\0a")"#;
        let body = "(call $print (i32.const 100) (i32.const 7))
            (call $print (i32.const 110) (i32.const 1)) (i32.const 1)";
        let actor = load(&engine, wasi_guest(namespace, items, body)).await;
        actor.call(request("")).await.expect("prints");
        let stdout = |text: &str| (LogSource::Stdout, text.to_owned());
        assert_eq!(*lines.0.lock(), [stdout("one"), stdout("two")], "{namespace}");
    }
}

#[tokio::test]
async fn there_is_no_environment_and_no_folder() {
    let engine = engine();
    // Answers: environment variables, arguments, result of asking for the first folder, random.
    let body = "(drop (call $env (i32.const 200) (i32.const 220)))
        (drop (call $args (i32.const 204) (i32.const 220)))
        (i32.store8 (i32.const 208) (call $prestat (i32.const 3) (i32.const 220)))
        (i32.store8 (i32.const 209) (call $random (i32.const 220) (i32.const 8)))
        (call $response (i32.const 200) (i32.const 10)) (i32.const 1)";
    let actor = load(&engine, wasi_guest("wasi_snapshot_preview1", "", body)).await;
    let reply = actor.call(request("")).await.expect("answers");
    assert_eq!(reply[..], [0, 0, 0, 0, 0, 0, 0, 0, 8, 0], "none, none, EBADF, success");
}

#[tokio::test]
async fn start_functions_run_in_order_and_exit_zero_is_success() {
    let (engine, lines) = engine_with_log();
    let items = r#"(data (i32.const 100) "s\0ai\0a_\0aw\0a")
        (func $s (call $print (i32.const 100) (i32.const 2))) (start $s)
        (func (export "_initialize") (call $print (i32.const 102) (i32.const 2)))
        (func (export "_start") (call $print (i32.const 104) (i32.const 2)))
        (func (export "wapc_init") (call $print (i32.const 106) (i32.const 2))
          (call $exit (i32.const 0)))"#;
    let module = wasi_guest("wasi_snapshot_preview1", items, "(i32.const 1)");
    load(&engine, module).await.call(request("")).await.expect("starts");
    assert_eq!(lines.texts(), ["s", "i", "w"], "a reactor's _initialize stands for _start");
    let items = items.replace("\"_initialize\"", "\"other\"");
    let (engine, lines) = engine_with_log();
    let module = wasi_guest("wasi_snapshot_preview1", &items, "(i32.const 1)");
    load(&engine, module).await.call(request("")).await.expect("starts");
    assert_eq!(lines.texts(), ["s", "_", "w"]);
}

#[tokio::test]
async fn an_exit_in_a_call_is_a_fault() {
    let engine = engine();
    let body = "(call $exit (i32.const 3)) (i32.const 1)";
    let actor = load(&engine, wasi_guest("wasi_snapshot_preview1", "", body)).await;
    let error = fails(&actor, b"").await;
    assert_eq!(error.code(), Code::Trap);
    assert!(error.message().contains("status 3"), "{error}");
}

#[tokio::test]
async fn sleep_ends_at_the_deadline() {
    let engine = engine();
    // A subscription to the monotonic clock, relative, 60 s.
    let body = "(i32.store (i32.const 320) (i32.const 1))
        (i64.store (i32.const 328) (i64.const 60000000000))
        (drop (call $poll (i32.const 304) (i32.const 400) (i32.const 1) (i32.const 500)))
        (i32.const 1)";
    let actor = load(&engine, wasi_guest("wasi_snapshot_preview1", "", body)).await;
    let started = Instant::now();
    let time = Duration::from_millis(50);
    let error = actor.call(request_within("", time)).await.expect_err("cut");
    assert_eq!(error.code(), Code::Timeout);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}
