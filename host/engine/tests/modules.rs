//! Rows A1, A2, A5 of the threat table, and modules coming and going.

mod common;

use std::fs;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::*;
use proptest::collection::vec;
use proptest::prelude::*;
use trellis_core::Code;
use trellis_engine::{
    Actor, CacheConfig, Checker, Engine, EngineConfig, ModuleBounds, ModuleSource, ModuleSpec,
    dialect, inspect,
};
use trellis_limits::ActorLimits;

/// A module with every section a compiler writes.
fn rich() -> Vec<u8> {
    let functions: String = (0..300)
        .map(|i| {
            format!("(func $f{i} (param i32) (result i32) (i32.add (local.get 0) (i32.const {i})))")
        })
        .collect();
    let table: String = (0..300).map(|i| format!(" $f{i}")).collect();
    let items = format!(
        r#"(memory (export "memory") 2) (global $g (mut i32) (i32.const 5))
           (table 300 funcref) (elem (i32.const 0) {table}) {functions}
           (data (i32.const 3000) "some data") (func $start (global.set $g (i32.const 6)))
           (start $start)"#
    );
    guest_with(&items, ECHO)
}

#[tokio::test]
async fn a1_every_prefix_is_refused_quickly_with_its_offset() {
    let engine = engine();
    for module in [echo(), forward(), rich()] {
        let started = Instant::now();
        // Every prefix of the small ones, every seventh of the large one.
        let step = if module.len() < 1_000 { 1 } else { 7 };
        let (mut count, mut whole) = (0, 0);
        for end in (0..module.len()).step_by(step) {
            let spec = spec(module[..end].to_vec());
            count += 1;
            let Err(error) = engine.load(spec, Arc::new(EchoHost)).await else {
                // Only names and data are missing: a whole module, if another one.
                whole += 1;
                continue;
            };
            // A prefix that ends between two sections is well-formed, but lacks an export or code.
            match error.code() {
                Code::ModuleInvalid => assert!(
                    error.message().contains("offset")
                        || error.message().contains("does not exist"),
                    "{error}"
                ),
                code => assert_eq!(code, Code::ModuleAbi, "{error} for {end} bytes"),
            }
        }
        let each = started.elapsed() / count;
        assert!(each < Duration::from_millis(5), "{each:?} each");
        assert!(whole <= 3, "{whole} prefixes are modules");
    }
    for garbage in [&b""[..], b"hello", b"\0asm\x01\0\0\0\x01\xff\xff\xff\xff\xff", &[0xff; 4096]] {
        let error = refused(&engine, garbage.to_vec()).await;
        assert_eq!(error.code(), Code::ModuleInvalid, "{error}");
    }
}

static CHECKER: LazyLock<Checker> = LazyLock::new(|| Checker::new().expect("the runtime starts"));

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    /// Whatever a few changed bytes make of a module, reading it gives an answer and no panic.
    #[test]
    fn a1_changed_modules_are_read_to_an_answer(
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut module = rich();
        for (at, byte) in changes {
            let at = at.index(module.len());
            module[at] = byte;
        }
        let cut = cut.index(2 * module.len());
        module.truncate(cut.max(8));
        if let Err(error) = CHECKER.check(&module, &ModuleBounds::of(&ActorLimits::default())) {
            prop_assert!(matches!(
                error.code(),
                Code::ModuleInvalid | Code::ModuleLimit | Code::ModuleAbi | Code::Memory
            ), "{error}");
        }
    }
}

#[tokio::test]
async fn a1_code_that_does_not_type_check_is_refused_with_its_offset() {
    let mut module = guest("(drop (i32.const 7)) (i32.const 1)");
    let at = module.windows(3).position(|w| w == [0x41, 7, 0x1a]).expect("const, drop");
    module[at] = 0x6a;
    let error = refused(&engine(), module).await;
    assert_eq!(error.code(), Code::ModuleInvalid);
    assert!(error.message().contains("offset 0x"), "{error}");
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

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id][..], &leb(content.len()), content].concat()
}

/// A module of one function of type () -> () with this body (locals included), `functions` times.
fn raw(functions: usize, body: &[u8]) -> Vec<u8> {
    let body = [leb(body.len()), body.to_vec()].concat();
    [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &[1, 0x60, 0, 0]),
        section(3, &[leb(functions), vec![0; functions]].concat()),
        section(10, &[leb(functions), body.repeat(functions)].concat()),
    ]
    .concat()
}

#[tokio::test]
async fn a2_modules_beyond_a_limit_are_refused_before_compiling() {
    let engine = engine();
    let nested =
        |depth: usize| [vec![0], [0x02, 0x40].repeat(depth), vec![0x0b; depth + 1]].concat();
    let million_locals = [vec![1], leb(1_000_000), vec![0x7f, 0x0b]].concat();
    let small = ActorLimits { module_bytes_max: 1 << 20, ..ActorLimits::default() };
    let large_data = [echo(), section(0, &[&[1, b'x'][..], &vec![0; 2 << 20]].concat())].concat();
    let cases = [
        (raw(1_000_000, &[0, 0x0b]), ActorLimits::default(), "module_functions_max"),
        (raw(1, &million_locals), ActorLimits::default(), "module_locals_max"),
        (large_data, small, "module_bytes_max"),
    ];
    for (module, limits, names) in cases {
        let spec = ModuleSpec { limits, ..spec(module) };
        let error = engine.load(spec, Arc::new(EchoHost)).await.err().expect("refused");
        assert_eq!(error.code(), Code::ModuleLimit, "{error}");
        assert!(error.message().contains(names), "{error}");
    }
    // Nesting is only seen when the instructions are read, so this module is complete otherwise.
    let deep = nested(30_000);
    let mut module = guest("(nop) (i32.const 1)");
    let at = module.windows(5).position(|w| w == [0, 0x01, 0x41, 1, 0x0b]).expect("the body");
    // The last section is the code: one body, whose size and the section's are written anew.
    let body = [&deep[..deep.len() - 1], &[0x41, 1, 0x0b]].concat();
    let header = module[..at].iter().rposition(|b| *b == 10).expect("the code section");
    module.truncate(header);
    module.extend(section(10, &[leb(1), leb(body.len()), body].concat()));
    let error = refused(&engine, module).await;
    assert_eq!(error.code(), Code::ModuleLimit, "{error}");
    assert!(error.message().contains("nested blocks"), "{error}");
    assert_eq!(engine.metrics().modules_compiled(), 0);
}

#[tokio::test]
async fn a2_a_memory_that_starts_too_large_is_refused() {
    let engine = engine();
    let module = guest_with("(memory (export \"memory\") 2000)", ECHO);
    let error = refused(&engine, module).await;
    assert_eq!(error.code(), Code::Memory);
    assert!(error.message().contains("actor_memory_bytes_max"), "{error}");
    let two = "(memory (export \"memory\") 1) (memory 1)";
    let error = refused(&engine, guest_with(two, "(i32.const 1)")).await;
    assert!(matches!(error.code(), Code::ModuleLimit | Code::ModuleInvalid), "{error}");
}

fn cached(dir: &std::path::Path) -> Engine {
    let cache = Some(CacheConfig::at(dir.to_owned()));
    Engine::new(EngineConfig { cache, ..config() }).expect("starts")
}

fn entry(dir: &std::path::Path) -> std::path::PathBuf {
    let mut files = fs::read_dir(dir).expect("the folder").flatten().map(|file| file.path());
    files.find(|path| path.extension().is_some_and(|ext| ext == "cwasm")).expect("one entry")
}

async fn answers(actor: &Actor) {
    assert_eq!(actor.call(request("hi")).await.expect("answers"), "hi");
}

#[tokio::test]
async fn a5_compiled_code_survives_a_restart() {
    let dir = tempfile::tempdir().expect("a folder");
    let engine = cached(dir.path());
    answers(&load(&engine, rich()).await).await;
    assert_eq!(engine.metrics().modules_compiled(), 1);
    let engine = cached(dir.path());
    answers(&load(&engine, rich()).await).await;
    assert_eq!(engine.metrics().modules_compiled(), 0, "nothing compiled twice");
    assert_eq!(engine.metrics().cache_events("hit"), 1);
}

#[tokio::test]
async fn what_two_want_at_once_is_compiled_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let engine = cached(dir.path());
    let (one, other) = tokio::join!(load(&engine, rich()), load(&engine, rich()));
    answers(&one).await;
    answers(&other).await;
    assert_eq!(engine.metrics().modules_compiled(), 1);
    assert_eq!(engine.metrics().cache_events("hit"), 1);
}

#[tokio::test]
async fn a5_a_changed_cache_file_is_ignored_and_written_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let engine = cached(dir.path());
    drop(load(&engine, echo()).await);
    let path = entry(dir.path());
    let good = fs::read(&path).expect("written");
    // Flip bytes of the header and, spread over the file, of the code; cut it; empty it.
    let spots = rounds(60, 1_000);
    let spread = (0..48).chain((1..spots).map(|i| 48 + i * (good.len() - 49) / spots));
    let mut damaged: Vec<Vec<u8>> = spread
        .map(|at| {
            let mut bytes = good.clone();
            bytes[at] ^= 0x01;
            bytes
        })
        .collect();
    damaged.extend([good[..good.len() - 1].to_vec(), good[..20].to_vec(), Vec::new()]);
    let count = damaged.len() as u64;
    for bytes in damaged {
        fs::write(&path, bytes).expect("the test owns the folder");
        answers(&load(&engine, echo()).await).await;
        assert_eq!(fs::read(&path).expect("written again"), good);
    }
    assert_eq!(engine.metrics().cache_events("reject"), count);
    // The file of another module is authentic, but not under this name.
    drop(load(&engine, forward()).await);
    let other = fs::read_dir(dir.path()).expect("the folder").flatten().map(|file| file.path());
    let other = other.filter(|p| p.extension().is_some_and(|e| e == "cwasm") && *p != path);
    fs::copy(other.last().expect("a second entry"), &path).expect("copied");
    answers(&load(&engine, echo()).await).await;
    assert_eq!(engine.metrics().cache_events("reject"), count + 1);
}

#[tokio::test]
async fn a_full_cache_drops_what_was_not_used_for_longest() {
    let dir = tempfile::tempdir().expect("a folder");
    drop(load(&cached(dir.path()), echo()).await);
    let first = entry(dir.path());
    let size = fs::metadata(&first).expect("written").len();
    // Room for two and a half of them, and one that a crash left half-written.
    fs::write(dir.path().join(".new-1-1"), vec![0; 100]).expect("the test owns the folder");
    let cache = CacheConfig { bytes_max: size * 5 / 2, ..CacheConfig::at(dir.path().to_owned()) };
    let engine = Engine::new(EngineConfig { cache: Some(cache), ..config() }).expect("starts");
    let guests = (1..=3).map(|answer| guest(&format!("(drop (i32.const {answer})) {ECHO}")));
    for module in guests.chain([echo()]) {
        answers(&load(&engine, module).await).await;
    }
    assert!(engine.metrics().cache_events("pruned") >= 3, "{:?}", engine.metrics());
    let files = fs::read_dir(dir.path()).expect("the folder").flatten();
    let left: u64 = files.filter_map(|file| Some(file.metadata().ok()?.len())).sum();
    assert!(left <= size * 5 / 2, "{left} bytes are left");
    assert!(first.exists(), "the one used last is kept");
    assert!(dir.path().join("key").exists());
}

#[tokio::test]
async fn a5_without_a_usable_folder_there_is_only_no_cache() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("file");
    fs::write(&file, "not a folder").expect("written");
    answers(&load(&cached(&file), echo()).await).await;
    let engine = cached(dir.path());
    fs::remove_dir_all(dir.path()).expect("removed under the engine");
    answers(&load(&engine, echo()).await).await;
    assert_eq!(engine.metrics().cache_events("write_failed"), 1);
}

#[test]
fn the_surface_of_a_module_is_shown() {
    let shape = inspect(&forward()).expect("well-formed");
    assert_eq!(dialect(&shape).to_string(), "wapc, host call with 8 arguments");
    assert_eq!((shape.imports.len(), shape.functions, shape.memory_bytes), (9, 1, 4 << 16));
    assert!(shape.exported_function("__guest_call").is_some());
}

/// Counts how often it is read.
struct Shelf(Bytes, std::sync::atomic::AtomicU32);

impl ModuleSource for Shelf {
    fn read(&self) -> std::io::Result<Bytes> {
        self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(self.0.clone())
    }
}

#[tokio::test]
async fn idle_modules_leave_memory_and_come_back() {
    let dir = tempfile::tempdir().expect("a folder");
    let cache = Some(CacheConfig::at(dir.path().to_owned()));
    let config = EngineConfig { cache, modules_resident_max: 3, ..config() };
    let engine = Engine::new(config).expect("starts");
    let mut actors = Vec::new();
    for i in 0..10 {
        let module = guest_with(
            &format!("(memory (export \"memory\") 1) (global i32 (i32.const {i}))"),
            ECHO,
        );
        let source = Arc::new(Shelf(module.clone().into(), 0.into()));
        let spec = ModuleSpec { source: Some(source.clone()), ..spec(module) };
        let actor = engine.load(spec, Arc::new(EchoHost)).await.expect("loads");
        actors.push((actor, source));
    }
    for _ in 0..2 {
        for (actor, _) in &actors {
            answers(actor).await;
        }
    }
    let resident = actors.iter().filter(|(actor, _)| actor.stats().resident).count();
    assert!(resident <= 3, "{resident} modules in memory");
    assert_eq!(engine.metrics().modules_compiled(), 10, "the cache brings them back");
    let reads =
        |(_, shelf): &(Actor, Arc<Shelf>)| shelf.1.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(actors.iter().map(reads).sum::<u32>(), 10, "read once each, to compile");
}
