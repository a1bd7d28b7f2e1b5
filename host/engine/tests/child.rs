//! Row A3: compiling in a child process. This program is its own child, so it has its own main.
#![allow(clippy::print_stdout, reason = "a test program without a harness reports for itself")]

mod common;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::*;
use rustix::event::{PollFd, PollFlags, poll};
use trellis_core::Code;
use trellis_engine::{Compiler, Engine, EngineConfig, ModuleSpec, compile_child_main};
use trellis_limits::{ActorLimits, named};

const CHILD: &str = "compile-child";

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(CHILD) {
        return match std::env::args().nth(2) {
            Some(gate) => pass_and_compile(&gate),
            None => compile_child_main(),
        };
    }
    // `cargo test -- --list` and filters of other programs' tests do not concern this one.
    if std::env::args().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        a3_a_child_compiles().await;
        a3_a_slow_compilation_is_killed().await;
        a3_a_huge_compilation_is_killed().await;
        a_helper_that_is_no_compiler_is_an_internal_error().await;
        what_nobody_wants_any_more_is_not_compiled_in_front_of_what_somebody_wants().await;
    });
    println!("5 tests of the compile child passed");
    ExitCode::SUCCESS
}

/// The child that finds the gate there takes it away, and does not end before its parent does: an
/// aborted run leaves nothing behind.
fn pass_and_compile(gate: &str) -> ExitCode {
    if std::fs::remove_file(gate).is_ok() {
        // Asked for nothing, a pipe still says that nobody reads it any more.
        let stdout = std::io::stdout();
        let mut end = [PollFd::new(&stdout, PollFlags::empty())];
        while !matches!(poll(&mut end, None), Ok(1..)) {}
        return ExitCode::FAILURE;
    }
    compile_child_main()
}

fn engine_of(program: std::path::PathBuf, argument: &str) -> Engine {
    engine_with(program, vec![argument.into()])
}

fn engine_with(program: std::path::PathBuf, args: Vec<OsString>) -> Engine {
    let compiler = Compiler::Child { program, args };
    Engine::new(EngineConfig { compiler, ..config() }).expect("starts")
}

fn child_engine() -> Engine {
    engine_of(std::env::current_exe().expect("this program"), CHILD)
}

async fn a3_a_child_compiles() {
    let engine = child_engine();
    let actor = load(&engine, echo()).await;
    assert_eq!(actor.call(request("from a child")).await.expect("answers"), "from a child");
    let error = refused(&engine, b"\0asm\x01\0\0\0garbage".to_vec()).await;
    assert_eq!(error.code(), Code::ModuleInvalid);
}

/// Functions that take their compiler some time each.
fn large(functions: usize, steps: usize) -> Vec<u8> {
    let step =
        "(local.set 0 (i32.rotl (i32.mul (local.get 0) (i32.load (local.get 0))) (i32.const 3)))";
    let body = step.repeat(steps);
    let functions: String = (0..functions)
        .map(|i| format!("(func (export \"f{i}\") (param i32) (result i32) {body} (local.get 0))"))
        .collect();
    guest_with(&format!("(memory (export \"memory\") 1) {functions}"), ECHO)
}

async fn limited(module: Vec<u8>, limits: ActorLimits) -> (trellis_core::CallError, Duration) {
    let engine = child_engine();
    let bystander = load(&engine, echo()).await;
    let spec = ModuleSpec { limits, ..spec(module) };
    let started = Instant::now();
    let error = engine.load(spec, Arc::new(EchoHost)).await.err().expect("killed");
    let limits = ["compile_time_ms_max", "compile_memory_bytes_max"];
    let named = limits.into_iter().find(|limit| error.message().contains(limit));
    let hits = named.map(|limit| engine.metrics().limit_hits(limit));
    assert_eq!(hits, Some(1), "{error}");
    bystander.call(request("x")).await.expect("nobody else noticed");
    (error, started.elapsed())
}

async fn a3_a_slow_compilation_is_killed() {
    let limits =
        ActorLimits { compile_time_max: Duration::from_millis(100), ..ActorLimits::default() };
    let (error, took) = limited(large(300, 400), limits).await;
    assert_eq!(error.code(), Code::ModuleLimit, "{error}");
    assert!(error.message().contains(&named("compile_time_ms_max")), "{error}");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

async fn a3_a_huge_compilation_is_killed() {
    let limits = ActorLimits {
        compile_memory_bytes_max: 16 << 20,
        compile_time_max: Duration::from_secs(60),
        ..ActorLimits::default()
    };
    let (error, _) = limited(large(1, 20_000), limits).await;
    assert_eq!(error.code(), Code::ModuleLimit, "{error}");
    assert!(error.message().contains(&named("compile_memory_bytes_max")), "{error}");
}

async fn a_helper_that_is_no_compiler_is_an_internal_error() {
    for program in ["/bin/true", "/bin/false", "/does/not/exist"] {
        let error = refused(&engine_of(program.into(), CHILD), echo()).await;
        assert_eq!(error.code(), Code::Internal, "{program}: {error}");
    }
}

async fn what_nobody_wants_any_more_is_not_compiled_in_front_of_what_somebody_wants() {
    const PATIENCE: Duration = Duration::from_secs(30);
    let folder = tempfile::tempdir().expect("a folder");
    let gate = folder.path().join("gate");
    std::fs::write(&gate, "").expect("the folder is writable");
    let program = std::env::current_exe().expect("this program");
    let engine = engine_with(program, vec![CHILD.into(), gate.clone().into()]);
    // The first child never ends by itself, and its time is far away.
    let limits =
        ActorLimits { compile_time_max: Duration::from_secs(600), ..ActorLimits::default() };
    let obsolete = tokio::spawn({
        let (engine, spec) = (engine.clone(), ModuleSpec { limits, ..spec(forward()) });
        async move { engine.load(spec, Arc::new(EchoHost)).await }
    });
    let begun = async {
        while gate.exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, begun).await.expect("the first child begins");
    obsolete.abort();
    let wanted = tokio::time::timeout(PATIENCE, load(&engine, echo())).await;
    let actor = wanted.expect("it does not wait for the one that nobody wants");
    actor.call(request("x")).await.expect("answers");
}
