//! Guests that import WASI, and the order of start functions.

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::*;
use trellis_core::Code;
use trellis_engine::{Engine, EngineConfig, LogSource, ModuleSpec};
use trellis_limits::ActorLimits;

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

/// A guest with 40 MiB whose operation polls for as many clocks as its payload says, in one call.
fn polling(namespace: &str) -> Vec<u8> {
    wasm(&format!(
        r#"(module
          (import "{namespace}" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
          (import "wapc" "__guest_request" (func $request (param i32 i32)))
          (import "wapc" "__guest_response" (func $response (param i32 i32)))
          (memory (export "memory") 720)
          (func (export "__guest_call") (param $op i32) (param $len i32) (result i32)
            (call $request (i32.const 0) (i32.const 64))
            (i32.store8 (i32.const 0) (call $poll (i32.const 30000000) (i32.const 1024)
              (i32.load (i32.const 64)) (i32.const 8)))
            (call $response (i32.const 0) (i32.const 1)) (i32.const 1)))"#
    ))
}

#[tokio::test]
async fn a_poll_is_bounded_before_anything_is_allocated() {
    for namespace in ["wasi_snapshot_preview1", "wasi_unstable"] {
        let engine = engine();
        let actor = load(&engine, polling(namespace)).await;
        let poll = async |count: u32| {
            let reply = actor.call(request(count.to_le_bytes().to_vec())).await;
            reply.expect("an error number is no fault")[0]
        };
        // Clocks that are due at once: all zeros.
        assert_eq!(poll(1_000).await, 0, "{namespace}: success");
        assert_eq!(engine.metrics().limit_hits("wasi_poll_max"), 0);
        let before = peak_bytes();
        for count in [1_001, 500_000, u32::MAX] {
            assert_eq!(poll(count).await, 28, "{namespace}: inval");
        }
        let grown = peak_bytes() - before;
        assert!(grown < 16 << 20, "{grown} bytes for what is refused");
        assert_eq!(engine.metrics().limit_hits("wasi_poll_max"), 3);
    }
}

/// The most memory this process ever had in use.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has /proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it is listed");
    let kib = line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number");
    kib << 10
}

#[tokio::test]
async fn one_call_hands_over_no_more_than_a_message_may_have() {
    let engine = engine();
    // Prints two parts of memory; answers with the error number.
    let body =
        "(i32.store (i32.const 0) (i32.const 1000)) (i32.store (i32.const 4) (local.get $len))
        (i32.store8 (i32.const 200)
          (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
        (call $response (i32.const 200) (i32.const 1)) (i32.const 1)";
    let limits = ActorLimits { payload_bytes_max: 1_000, ..ActorLimits::default() };
    let module = wasi_guest("wasi_snapshot_preview1", "", body);
    let spec = ModuleSpec { limits, ..spec(module) };
    let actor = engine.load(spec, Arc::new(EchoHost)).await.expect("loads");
    // One pair of pointer and length has eight bytes.
    for (bytes, errno) in [(992, 0), (993, 48)] {
        let reply = actor.call(request(vec![b'x'; bytes])).await.expect("answers");
        assert_eq!(reply[..], [errno], "{bytes} bytes: success, or no memory");
    }
}

#[tokio::test]
async fn a_flood_in_one_write_is_counted_and_not_felt() {
    let (engine, lines) = engine_with_log();
    // 4 MiB of line ends.
    let body = "(memory.fill (i32.const 65536) (i32.const 10) (i32.const 4194304))
        (call $print (i32.const 65536) (i32.const 4194304)) (i32.const 1)";
    let grow = "(func $grow (drop (memory.grow (i32.const 65)))) (start $grow)";
    let actor = load(&engine, wasi_guest("wasi_snapshot_preview1", grow, body)).await;
    actor.call(request("")).await.expect("a flood is no error");
    drop((actor, engine));
    let texts = lines.texts();
    let reported: usize = texts
        .iter()
        .filter(|text| text.contains("log lines dropped"))
        .filter_map(|text| text.split(' ').next()?.parse::<usize>().ok())
        .sum();
    let passed = texts.iter().filter(|text| text.is_empty()).count();
    assert_eq!(passed + reported, 4 << 20);
    assert!(passed < 5_000, "{passed} lines passed");
}

/// A guest whose operation has as much of its memory of 64 MiB filled with random bytes, from 1 KiB
/// on, as its payload says, and answers WASI's error.
fn drawing(namespace: &str) -> Vec<u8> {
    wasm(&format!(
        r#"(module
          (import "{namespace}" "random_get" (func $random (param i32 i32) (result i32)))
          (import "wapc" "__guest_request" (func $request (param i32 i32)))
          (import "wapc" "__guest_response" (func $response (param i32 i32)))
          (memory (export "memory") 1024)
          (func (export "__guest_call") (param $op i32) (param $len i32) (result i32)
            (call $request (i32.const 512) (i32.const 8))
            (i32.store8 (i32.const 1023)
              (call $random (i32.const 1024) (i32.load (i32.const 8))))
            (call $response (i32.const 1023)
              (select (i32.const 200001) (i32.const 1)
                (i32.le_u (i32.load (i32.const 8)) (i32.const 200000))))
            (i32.const 1)))"#
    ))
}

#[tokio::test]
async fn random_bytes_come_in_any_number_and_never_past_the_deadline() {
    for namespace in ["wasi_snapshot_preview1", "wasi_unstable"] {
        let engine = engine();
        let actor = load(&engine, drawing(namespace)).await;
        let count = |bytes: u32| bytes.to_le_bytes().to_vec();
        let drawn = actor.call(request(count(200_000))).await.expect("more than one piece");
        let (errno, bytes) = drawn.split_first().expect("an answer");
        assert_eq!(*errno, 0, "{namespace}: success");
        for (at, part) in bytes.chunks(1_000).enumerate() {
            assert!(part.iter().any(|byte| *byte != 0), "{namespace}: kilobyte {at} is not filled");
        }
        let time = Duration::from_millis(5);
        let cut = actor.call(request_within(count(60 << 20), time)).await.expect_err("too many");
        assert_eq!(cut.code(), Code::Timeout, "{namespace}: {cut}");
    }
}
