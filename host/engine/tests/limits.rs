//! Limits: whose it was, that it is counted, and that the checks and the start know the same ones.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::*;
use trellis_core::{CallError, Code};
use trellis_engine::{Actor, Checker, Engine, HostCalls, ModuleBounds, ModuleSpec};
use trellis_limits::{ActorLimits, fixed, in_manifest, named};

const LOOP: &str = "(loop $l (br $l)) (i32.const 1)";

async fn load_with(engine: &Engine, bytes: Vec<u8>, limits: ActorLimits) -> Actor {
    let spec = ModuleSpec { limits, ..spec(bytes) };
    engine.load(spec, Arc::new(EchoHost)).await.expect("the guest loads")
}

fn short() -> ActorLimits {
    ActorLimits { call_time_max: Duration::from_millis(30), ..ActorLimits::default() }
}

#[tokio::test]
async fn a_cut_says_whose_deadline_it_was() {
    let engine = engine();
    let hits = || engine.metrics().limit_hits("call_time_ms_max");
    // Computing, computing on the slow lane from its start, and waiting for the host.
    let looping = load_with(&engine, guest(LOOP), short()).await;
    let silent = ModuleSpec { limits: short(), ..spec(forward()) };
    let silent = engine.load(silent, Arc::new(SilentHost) as Arc<dyn HostCalls>).await;
    let silent = silent.expect("the guest loads");
    for (count, actor) in [(1, &looping), (2, &looping), (3, &silent)] {
        let error = fails(actor, b"").await;
        assert_eq!(error.code(), Code::Timeout);
        assert!(error.message().contains(&named("call_time_ms_max")), "{error}");
        assert_eq!(hits(), count);
    }
    let patient = load(&engine, guest(LOOP)).await;
    let cut = patient.call(request_within("", Duration::from_millis(20))).await;
    let error = cut.expect_err("its caller waits no longer");
    assert_eq!(error.code(), Code::Timeout);
    assert!(error.message().contains("caller's deadline"), "{error}");
    assert_eq!(hits(), 3, "no limit was hit");
}

#[tokio::test]
async fn a_call_that_finds_the_slow_lane_full_is_refused_before_it_begins() {
    let engine = engine();
    let hits = || engine.metrics().limit_hits("queue_time_ms_max");
    let time = Duration::from_millis(300);
    let looping =
        ActorLimits { call_time_max: time, queue_time_max: time * 10, ..ActorLimits::default() };
    let patient = load_with(&engine, guest(LOOP), looping).await;
    let hasty = ActorLimits {
        call_time_max: Duration::from_millis(50),
        queue_time_max: Duration::from_millis(1),
        ..ActorLimits::default()
    };
    let hasty = load_with(&engine, guest(LOOP), hasty).await;
    // From here on its calls begin on the slow lane, which it had for itself.
    assert_eq!(fails(&hasty, b"").await.code(), Code::Timeout);
    assert_eq!(hits(), 0);
    let crowd: Vec<_> = (0..32)
        .map(|_| {
            let patient = patient.clone();
            tokio::spawn(async move { patient.call(request("")).await })
        })
        .collect();
    loop {
        let error = fails(&hasty, b"").await;
        if error.code() == Code::Busy {
            assert!(error.message().contains(&named("queue_time_ms_max")), "{error}");
            break;
        }
        assert!(crowd.iter().any(|call| !call.is_finished()), "nobody was refused: {error}");
    }
    assert_eq!(hits(), 1);
    for call in crowd {
        let error = call.await.expect("no panic").expect_err("it computes for ever");
        assert_eq!(error.code(), Code::Timeout, "what began goes on: {error}");
    }
}

#[tokio::test]
async fn a_slow_start_is_counted_as_one() {
    let engine = engine();
    let items = "(memory (export \"memory\") 1) (func $spin (loop $l (br $l))) (start $spin)";
    let init = Duration::from_millis(30);
    let limits = ActorLimits { init_time_max: init, ..ActorLimits::default() };
    let actor = load_with(&engine, guest_with(items, ECHO), limits).await;
    let error = fails(&actor, b"").await;
    assert_eq!(error.code(), Code::Timeout);
    assert!(error.message().contains(&named("init_time_ms_max")), "{error}");
    let hits =
        ["init_time_ms_max", "call_time_ms_max"].map(|name| engine.metrics().limit_hits(name));
    assert_eq!(hits, [1, 0]);
}

#[tokio::test]
async fn a_name_that_is_too_long_is_counted() {
    let engine = engine();
    let actor = load(&engine, echo()).await;
    let mut long = request("");
    long.operation = "x".repeat(257).into();
    let error = actor.call(long).await.expect_err("too long");
    assert_eq!(error.code(), Code::BadName);
    assert!(error.message().contains("(`limits.name_bytes` in the manifest)"), "{error}");
    assert_eq!(engine.metrics().limit_hits("name_bytes_max"), 1);
    let mut dirty = request("");
    dirty.operation = "x\n".into();
    assert_eq!(actor.call(dirty).await.expect_err("not clean").code(), Code::BadName);
    assert_eq!(engine.metrics().limit_hits("name_bytes_max"), 1, "a dirty name hits no limit");
}

#[tokio::test]
async fn what_a_module_is_refused_for_is_counted() {
    let engine = engine();
    let memory = "(memory (export \"memory\") 1)";
    let small = ActorLimits {
        module_bytes_max: 300,
        module_functions_max: 3,
        module_locals_max: 4,
        ..ActorLimits::default()
    };
    let locals = format!("(local {}) (i32.const 1)", "i32 ".repeat(5));
    let cases = [
        (
            "module_bytes_max",
            guest_with(&format!("{memory} (data (i32.const 0) \"{}\")", "x".repeat(300)), ECHO),
        ),
        ("module_functions_max", wasm(&format!("(module {})", "(func)".repeat(4)))),
        ("module_locals_max", wasm(&format!("(module (func (result i32) {locals}))"))),
        ("actor_memory_bytes_max", wasm("(module (memory 2000))")),
        ("table_elements_max", wasm("(module (table 30000 funcref))")),
        ("module_tables_max", wasm("(module (table 1 funcref) (table 1 funcref))")),
        ("module_memories_max", wasm("(module (memory 1) (memory 1))")),
    ];
    for (limit, module) in cases {
        let spec = ModuleSpec { limits: small.clone(), ..spec(module) };
        let error = engine.load(spec, Arc::new(EchoHost)).await.err().expect("refused");
        assert!(error.message().contains(limit), "{error}");
        let place = in_manifest(limit);
        assert!(place.is_none_or(|place| error.message().contains(&place)), "{error}");
        assert_eq!(engine.metrics().limit_hits(limit), 1, "{limit}");
    }
}

/// LEB128, as sizes are written.
fn leb(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        bytes.push(if value == 0 { byte } else { byte | 0x80 });
        if value == 0 {
            return bytes;
        }
    }
}

fn section(id: u8, count: usize, items: &[u8]) -> Vec<u8> {
    let count = leb(count);
    [&[id][..], &leb(count.len() + items.len()), &count, items].concat()
}

/// A module that answers nothing, with so many functions (each of which may be called from
/// outside), globals, and data and element segments.
fn crowded(functions: usize, globals: usize, segments: usize) -> Vec<u8> {
    let indices: Vec<u8> = (0..functions).flat_map(leb).collect();
    // One element segment declares every function; the others are empty and passive.
    let elements = [&[3, 0][..], &leb(functions), &indices].concat();
    let elements = [elements, [1, 0, 0].repeat(segments - 1)].concat();
    let bodies = [[2, 0, 0x0b].repeat(functions - 1), vec![4, 0, 0x41, 1, 0x0b]].concat();
    [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, 2, &[0x60, 0, 0, 0x60, 2, 0x7f, 0x7f, 1, 0x7f]),
        section(3, functions, &[vec![0; functions - 1], vec![1]].concat()),
        section(5, 1, &[0, 1]),
        section(6, globals, &[0x7f, 1, 0x41, 0, 0x0b].repeat(globals)),
        section(7, 2, &[&b"\x06memory\x02\0\x0c__guest_call\0"[..], &leb(functions - 1)].concat()),
        section(9, segments, &elements),
        section(10, functions, &bodies),
        section(11, segments, &[1, 0].repeat(segments)),
    ]
    .concat()
}

/// The checks' verdict and the engine's, which must be the same.
async fn verdict(engine: &Engine, module: Vec<u8>) -> Result<(), CallError> {
    let checker = Checker::new().expect("the runtime starts");
    let checked = checker.check(&module, &ModuleBounds::of(&ActorLimits::default()));
    let run = match engine.load(spec(module), Arc::new(EchoHost)).await {
        Ok(actor) => actor.call(request("")).await.map(drop),
        Err(error) => Err(error),
    };
    assert_eq!(checked, run, "two doors, one rule");
    checked
}

#[tokio::test]
async fn what_passes_the_checks_starts() {
    let engine = engine();
    let [globals, segments] = [fixed::MODULE_GLOBALS, fixed::MODULE_SEGMENTS]
        .map(|limit| usize::try_from(limit.default).expect("a small number"));
    // So many that they did not start once; compiling all that are allowed takes half a minute.
    let functions = rounds(20_000, ActorLimits::default().module_functions_max as usize);
    verdict(&engine, crowded(functions, globals, segments)).await.expect("all of it at once");
    let error = verdict(&engine, crowded(2, globals + 1, 1)).await.expect_err("a global too many");
    assert!(error.message().contains("module_globals_max"), "{error}");
    let error =
        verdict(&engine, crowded(2, 1, segments + 1)).await.expect_err("a segment too many");
    assert!(error.message().contains("module_segments_max"), "{error}");
}

#[tokio::test]
async fn parts_of_webassembly_that_are_not_run_are_named_by_both() {
    let engine = engine();
    let guest = |item: &str| guest_with(&format!("(memory (export \"memory\") 1) {item}"), ECHO);
    for item in [
        "(table 1 externref)",
        "(func (param externref))",
        "(tag)",
        "(func (drop (i32.atomic.load (i32.const 0))))",
        "(type (struct))",
        "(func (drop (i8x16.relaxed_swizzle (v128.const i64x2 0 0) (v128.const i64x2 0 0))))",
    ] {
        let error = verdict(&engine, guest(item)).await.expect_err(item);
        assert_eq!(error.code(), Code::ModuleAbi, "{item}: {error}");
        assert!(error.message().contains("part of WebAssembly"), "{item}: {error}");
    }
    for item in [
        "(table 1 funcref)",
        "(func $f (return_call $f))",
        "(func (drop (i32.extend8_s (i32.const 0))))",
        "(func (drop (v128.const i64x2 0 0)))",
        "(global i32 (i32.add (i32.const 1) (i32.const 2)))",
    ] {
        verdict(&engine, guest(item)).await.expect(item);
    }
    // What is broken is broken.
    let mut module = guest("(func (drop (i32.const 7)))");
    let at = module.windows(3).position(|w| w == [0x41, 7, 0x1a]).expect("const, drop");
    module[at] = 0x6a;
    let error = verdict(&engine, module).await.expect_err("it does not type-check");
    assert_eq!(error.code(), Code::ModuleInvalid, "{error}");
}

#[tokio::test]
async fn a_stack_in_memory_that_is_used_up_is_a_stack_error() {
    let engine = engine();
    // Large frames below one another, from 64 KiB down, as compilers lay them out.
    let items = "(memory (export \"memory\") 2)
        (func $f (param $sp i32) (result i32)
          (i32.store (local.get $sp) (i32.const 1))
          (i32.add (call $f (i32.sub (local.get $sp) (i32.const 4096)))
            (i32.load (local.get $sp))))";
    let actor = load(&engine, guest_with(items, "(call $f (i32.const 65536))")).await;
    for _ in 0..2 {
        let error = fails(&actor, b"").await;
        assert_eq!(error.code(), Code::Stack, "{error}");
    }
    let fill = "(memory.fill (i32.const -16) (i32.const 0) (i32.const 8)) (i32.const 1)";
    let error = fails(&load(&engine, guest_with(items, fill)).await, b"").await;
    assert_eq!(error.code(), Code::Trap, "it gives no address");
    assert!(error.message().contains("deep recursion"), "{error}");
    for address in ["131072", "0x7fffffff", "0x80000000", "-4"] {
        let body = format!("(i32.store (i32.const {address}) (i32.const 1)) (i32.const 1)");
        let actor = load(&engine, guest_with(items, &body)).await;
        assert_eq!(fails(&actor, b"").await.code(), Code::Trap, "{address}, without a recursion");
    }
}
