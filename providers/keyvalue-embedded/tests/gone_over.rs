//! What is told of a binding that goes over to where it has no keys.

mod common;

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing::subscriber::DefaultGuard;
use trellis_capabilities_keyvalue::CONTRACT;
use trellis_core::{ActorKey, BindingName, Trace};
use trellis_providers_conformance::keyvalue::Store;
use trellis_providers_keyvalue_embedded::{Clock, Embedded, SystemClock};
use trellis_providers_sdk::{Binding, BindingId, Call, Provider, Values};

use common::{ManualClock, bind, in_file, values};

/// The warnings of this thread, which is the only one of a test.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Every test begins with one: a warning of a thread that has none may turn off that of others.
    fn begin() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_max_level(tracing::Level::WARN)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// The lines since it was asked last.
    fn lines(&self) -> Vec<String> {
        let bytes = std::mem::take(&mut *self.0.lock().expect("no test panics while it writes"));
        String::from_utf8(bytes).expect("a log is text").lines().map(String::from).collect()
    }

    /// One line came, with all of these texts.
    fn told(&self, texts: &[&str]) {
        let lines = self.lines();
        let [line] = &*lines else { panic!("one line with {texts:?}, not {lines:?}") };
        for text in texts.iter().chain(&["WARN", "goes over"]) {
            assert!(line.contains(text), "{text} in {line}");
        }
    }

    fn told_nothing(&self) {
        assert_eq!(self.lines(), Vec::<String>::new());
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no test panics while it writes").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A provider of a host.
async fn open(host: &str, lineage: &str, given: &Values) -> Arc<Embedded> {
    timed(host, lineage, given, Arc::new(SystemClock)).await
}

async fn timed(host: &str, lineage: &str, given: &Values, clock: Arc<dyn Clock>) -> Arc<Embedded> {
    let lineage = format!("{host}/{lineage}");
    let opened = Embedded::succeed((host, &lineage), given, clock).await;
    Arc::new(opened.expect("the values are right"))
}

async fn keeps(provider: &Arc<Embedded>, actor: &str, given: &[(&str, &str)]) -> Store {
    let store = bind(provider, actor, values(given)).await;
    store.set("k", "v").await.expect("Set");
    store
}

fn shown(path: &Path) -> String {
    format!("`{}`", path.display())
}

fn field(name: &str, text: &str) -> String {
    format!("\"{name}\":\"{text}\"")
}

#[tokio::test]
async fn files_that_exchange_their_paths_are_told_by_each_binding() {
    let (log, _guard) = Log::begin();
    let folder = tempfile::tempdir().expect("a folder for the test");
    let [one, two] = ["one.redb", "two.redb"].map(|name| folder.path().join(name));
    let host = "exchange";
    let first = open(host, "1", &in_file(&one)).await;
    let second = open(host, "2", &in_file(&two)).await;
    keeps(&first, "M1", &[]).await;
    keeps(&second, "M2", &[]).await;
    let after_first = open(host, "1", &in_file(&two)).await;
    bind(&after_first, "M1", Values::default()).await;
    let (from, to) = (field("from", &shown(&one)), field("to", &shown(&two)));
    log.told(&[&from, &to, "\"actor\"", "stay in the file", "by PATH again"]);
    let after_second = open(host, "2", &in_file(&one)).await;
    bind(&after_second, "M2", Values::default()).await;
    log.told(&[&field("from", &shown(&two)), &field("to", &shown(&one))]);
    // Bound again where they are, and back where they have their keys.
    bind(&after_second, "M2", Values::default()).await;
    bind(&first, "M1", Values::default()).await;
    bind(&second, "M2", Values::default()).await;
    log.told_nothing();
}

#[tokio::test]
async fn another_provider_or_none_with_a_file_is_told() {
    let (log, _guard) = Log::begin();
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("store.redb");
    let file = open("provider", "1", &in_file(&path)).await;
    let memory = open("provider", "2", &Values::default()).await;
    keeps(&file, "M1", &[]).await;
    // Others have keys there, which are of no use to this one.
    keeps(&memory, "M2", &[]).await;
    bind(&memory, "M1", Values::default()).await;
    log.told(&[&field("from", &shown(&path)), &field("to", "memory"), "by PATH again"]);
    keeps(&memory, "M1", &[]).await;
    bind(&file, "M1", Values::default()).await;
    log.told_nothing();
    // The same file by another name is the same keys.
    let link = folder.path().join("link.redb");
    std::fs::hard_link(&path, &link).expect("the folder is ours");
    bind(&open("provider", "3", &in_file(&link)).await, "M1", Values::default()).await;
    log.told_nothing();
}

#[tokio::test]
async fn another_namespace_is_told() {
    let (log, _guard) = Log::begin();
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("store.redb");
    let file = open("namespace", "1", &in_file(&path)).await;
    let memory = open("namespace", "2", &Values::default()).await;
    let at = shown(&path);
    for (store, actor, at, stays) in [
        (&file, "M1", at.as_str(), "stay in the file"),
        (&memory, "M2", "memory", "for as long as the provider runs"),
    ] {
        keeps(store, actor, &[]).await;
        bind(store, actor, values(&[("NAMESPACE", "n")])).await;
        let from = field("from", &format!("{at}, the actor's own namespace"));
        log.told(&[&from, &field("to", &format!("{at}, namespace `n`")), stays]);
        keeps(store, actor, &[("NAMESPACE", "n")]).await;
        bind(store, actor, values(&[("SHARED", "true")])).await;
        let to = field("to", &format!("{at}, the namespace shared by all"));
        log.told(&[&to, "the NAMESPACE or SHARED of before"]);
        bind(store, actor, values(&[("NAMESPACE", "n")])).await;
        log.told_nothing();
    }
}

#[tokio::test]
async fn keys_in_memory_that_a_file_or_another_memory_does_not_have_are_told() {
    let (log, _guard) = Log::begin();
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("store.redb");
    let memory = open("memory", "1", &Values::default()).await;
    keeps(&memory, "M1", &[]).await;
    // Other values and the same keys.
    let roomy = open("memory", "1", &values(&[("MEMORY_MAX", "1GiB")])).await;
    bind(&roomy, "M1", Values::default()).await;
    log.told_nothing();
    let file = open("memory", "1", &in_file(&path)).await;
    keeps(&file, "M2", &[]).await;
    bind(&file, "M1", Values::default()).await;
    log.told(&[&field("from", "memory"), &field("to", &shown(&path)), "most likely lost"]);
    bind(&roomy, "M1", Values::default()).await;
    log.told_nothing();
    let other = open("memory", "2", &Values::default()).await;
    bind(&other, "M1", Values::default()).await;
    let to = field("to", "memory of another provider");
    log.told(&[&field("from", "memory"), &to, "most likely lost"]);
}

#[tokio::test]
async fn whoever_has_no_keys_is_not_told_of_and_silences_nobody() {
    let (log, _guard) = Log::begin();
    let folder = tempfile::tempdir().expect("a folder for the test");
    let [old, new] = ["old.redb", "new.redb"].map(|name| folder.path().join(name));
    let before = open("none", "1", &in_file(&old)).await;
    bind(&before, "M1", Values::default()).await;
    keeps(&before, "M2", &[]).await;
    keeps(&before, "M3", &[]).await;
    let after = open("none", "1", &in_file(&new)).await;
    bind(&after, "M1", Values::default()).await;
    log.told_nothing();
    for actor in ["M2", "M3"] {
        bind(&after, actor, Values::default()).await;
        log.told(&[&field("from", &shown(&old)), &field("to", &shown(&new))]);
    }
    // Without a host, nothing belongs together.
    let (first, second) = (open("", "", &in_file(&old)).await, open("", "", &in_file(&new)).await);
    bind(&first, "M2", Values::default()).await;
    bind(&second, "M2", Values::default()).await;
    log.told_nothing();
}

#[tokio::test]
async fn a_key_that_is_expired_is_none() {
    let (log, _guard) = Log::begin();
    let folder = tempfile::tempdir().expect("a folder for the test");
    let clock = Arc::new(ManualClock::default());
    let in_file = in_file(&folder.path().join("store.redb"));
    let of_clock = || Arc::clone(&clock) as Arc<dyn Clock>;
    let file = timed("expired", "1", &in_file, of_clock()).await;
    let memory = timed("expired", "2", &Values::default(), of_clock()).await;
    let to = open("expired", "3", &Values::default()).await;
    for (from, actor) in [(&file, "M1"), (&memory, "M2")] {
        let store = bind(from, actor, Values::default()).await;
        store.set_expiring("k", "v", 1_000).await.expect("Set");
        bind(&to, actor, Values::default()).await;
        log.told(&["goes over"]);
        bind(from, actor, Values::default()).await;
    }
    clock.pass_ms(1_000_000);
    for actor in ["M1", "M2"] {
        bind(&to, actor, Values::default()).await;
    }
    log.told_nothing();
}

#[tokio::test]
async fn a_store_tells_of_twenty_bindings_and_that_there_are_others() {
    let (log, _guard) = Log::begin();
    let before = open("many", "1", &Values::default()).await;
    let after = open("many", "2", &Values::default()).await;
    for number in 0..25 {
        let actor = format!("M{number}");
        keeps(&before, &actor, &[]).await;
        bind(&after, &actor, Values::default()).await;
    }
    let lines = log.lines();
    assert_eq!(lines.len(), 21, "{lines:?}");
    let (others, named) = lines.split_last().expect("there are some");
    assert!(named.iter().all(|line| line.contains("most likely lost")), "{named:?}");
    assert!(others.contains("and others"), "{others}");
    // Each store has its own.
    let third = open("many", "3", &Values::default()).await;
    bind(&third, "M1", Values::default()).await;
    log.told_nothing();
    bind(&before, "M1", Values::default()).await;
    bind(&third, "M1", Values::default()).await;
    log.told(&["most likely lost"]);
}

#[tokio::test]
async fn a_binding_can_be_used_before_its_keys_are_looked_for() {
    let (log, _guard) = Log::begin();
    let folder = tempfile::tempdir().expect("a folder for the test");
    let file = open("at once", "1", &in_file(&folder.path().join("store.redb"))).await;
    let memory = open("at once", "2", &Values::default()).await;
    keeps(&file, "M1", &[]).await;
    let binding = Binding {
        id: BindingId(u64::MAX),
        actor: ActorKey::new("M1"),
        actor_name: "m1".to_owned(),
        contract: CONTRACT.id,
        name: BindingName::default(),
        payload_bytes_max: 1 << 20,
        values: Values::default(),
    };
    let call = Call {
        binding: binding.id,
        operation: "Get".into(),
        payload: bytes::Bytes::from_static(b"\x81\xa3key\xa1k"),
        remaining: Duration::ZERO,
        trace: Trace::default(),
        depth: 0,
    };
    let bound = memory.bind(binding);
    memory.call(call).await.expect("it is bound already");
    log.told_nothing();
    bound.await.expect("the values are right");
    log.told(&["by PATH again"]);
}
