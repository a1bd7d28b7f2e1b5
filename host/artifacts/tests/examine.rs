//! What is read, what is examined, and what is known from before.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use trellis_artifacts::{Artifact, Artifacts, Reference, Wanted};
use trellis_core::{CallError, Code};

/// Only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// What an examination gives of a content.
fn examined_as(text: String) -> Artifact<String> {
    Artifact { digest: Sha256::digest(&text).into(), proof: text }
}

/// A shelf whose examination gives the content as text, and counts.
struct Shelf {
    folder: tempfile::TempDir,
    artifacts: Artifacts<String>,
    examined: Arc<AtomicUsize>,
}

impl Shelf {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { folder, artifacts: Artifacts::new(), examined: Arc::default() }
    }

    fn put(&self, name: &str, content: &str) {
        fs::write(self.folder.path().join(name), content).expect("a file");
    }

    fn wanted(&self, name: &str) -> Wanted {
        Wanted { reference: Reference::File(self.folder.path().join(name)), bytes_max: 1_000 }
    }

    async fn examine(&self, wanted: Vec<Wanted>) -> Vec<Result<Artifact<String>, CallError>> {
        self.examine_beside(wanted, Vec::new()).await
    }

    async fn examine_beside(
        &self,
        wanted: Vec<Wanted>,
        others: Vec<Wanted>,
    ) -> Vec<Result<Artifact<String>, CallError>> {
        let examined = Arc::clone(&self.examined);
        let examination = move |_: usize, bytes: &[u8]| {
            examined.fetch_add(1, Ordering::SeqCst);
            let text = String::from_utf8_lossy(bytes).into_owned();
            match text.as_str() {
                "bad" => Err(CallError::new(Code::ModuleInvalid, text)),
                "panic" => panic!("the test asked for it"),
                _ => Ok(examined_as(text)),
            }
        };
        self.artifacts.examine_beside((wanted, others), |_, _| true, examination).await
    }

    async fn proofs(&self, names: &[&str]) -> Vec<Result<String, Code>> {
        let wanted = names.iter().map(|name| self.wanted(name)).collect();
        let results = self.examine(wanted).await.into_iter();
        results.map(|one| one.map(|one| one.proof).map_err(|error| error.code())).collect()
    }

    /// Examines until nothing has to be read: files that were just written are read again until
    /// they are a little older.
    async fn settle(&self, names: &[&str]) {
        let settled = async {
            loop {
                let before = self.artifacts.reads();
                let _ = self.proofs(names).await;
                if self.artifacts.reads() == before {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, settled).await.expect("files settle");
    }

    fn examined(&self) -> usize {
        self.examined.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn what_did_not_change_is_neither_read_nor_examined() {
    let shelf = Shelf::new();
    let names: Vec<String> = (0..100).map(|number| format!("{number}.wasm")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.iter().for_each(|name| shelf.put(name, name));
    shelf.settle(&names).await;
    assert_eq!(shelf.examined(), 100, "each content once, however often it was read");

    let reads = shelf.artifacts.reads();
    shelf.put("7.wasm", "seven");
    let proofs = shelf.proofs(&names).await;
    assert_eq!(proofs[7].as_deref(), Ok("seven"));
    assert_eq!(proofs[8].as_deref(), Ok("8.wasm"), "in the order that was asked");
    assert_eq!((shelf.artifacts.reads() - reads, shelf.examined()), (1, 101));
}

#[tokio::test]
async fn what_is_known_and_does_not_suffice_is_examined_again() {
    let shelf = Shelf::new();
    let names = ["a.wasm", "b.wasm", "c.wasm"];
    names.iter().for_each(|name| shelf.put(name, name));
    shelf.settle(&names).await;
    // Another stamp over the same bytes asks no less.
    shelf.put("c.wasm", "c.wasm");
    let (reads, wanted) = (shelf.artifacts.reads(), names.map(|name| shelf.wanted(name)).into());
    let stricter = |_: usize, bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        Err(CallError::new(Code::ModuleLimit, text))
    };
    let suffices = |index: usize, proof: &String| index == 0 && proof == "a.wasm";
    let told = shelf.artifacts.examine(wanted, suffices, stricter).await;
    let told: Vec<_> = told.iter().map(|one| one.as_ref().map_err(CallError::code)).collect();
    assert!(told[0].is_ok(), "{told:?}");
    assert_eq!(told[1..], [Err(Code::ModuleLimit), Err(Code::ModuleLimit)]);
    assert_eq!(shelf.artifacts.reads() - reads, 2, "what sufficed was not read");
    // What was proven before still is.
    let proofs = shelf.proofs(&["b.wasm"]).await;
    assert_eq!((proofs, shelf.examined()), (vec![Ok("b.wasm".to_owned())], 3));
}

#[tokio::test]
async fn a_file_that_was_replaced_by_one_of_the_same_size_is_another() {
    let shelf = Shelf::new();
    shelf.put("a.wasm", "first");
    shelf.settle(&["a.wasm"]).await;
    shelf.put("next", "other");
    let path = |name: &str| shelf.folder.path().join(name);
    let times = fs::metadata(path("a.wasm")).and_then(|file| file.modified()).expect("a time");
    let next = fs::File::options().write(true).open(path("next")).expect("a file");
    next.set_modified(times).expect("the time of the other");
    fs::rename(path("next"), path("a.wasm")).expect("replaced");
    assert_eq!(shelf.proofs(&["a.wasm"]).await, [Ok("other".to_owned())]);
}

#[tokio::test]
async fn what_is_wrong_is_told_at_its_place_and_looked_at_again() {
    let shelf = Shelf::new();
    shelf.put("bad.wasm", "bad");
    shelf.put("panic.wasm", "panic");
    shelf.put("large.wasm", &"x".repeat(1_001));
    let names = ["none.wasm", "bad.wasm", "large.wasm"];
    let codes = [Code::NotFound, Code::ModuleInvalid, Code::ModuleLimit].map(Err);
    assert_eq!(shelf.proofs(&names).await, codes);
    assert_eq!(shelf.proofs(&["panic.wasm"]).await, [Err(Code::Internal)]);
    shelf.put("bad.wasm", "good");
    assert_eq!(shelf.proofs(&["bad.wasm"]).await, [Ok("good".to_owned())]);
}

#[tokio::test]
async fn a_lower_bound_holds_for_what_is_known() {
    let shelf = Shelf::new();
    shelf.put("a.wasm", "12345");
    shelf.settle(&["a.wasm"]).await;
    let reads = shelf.artifacts.reads();
    let lower = Wanted { bytes_max: 4, ..shelf.wanted("a.wasm") };
    let error = shelf.examine(vec![lower]).await.remove(0).expect_err("five bytes");
    assert_eq!(error.code(), Code::ModuleLimit);
    assert_eq!(shelf.artifacts.reads(), reads, "its size is known");
}

#[tokio::test]
async fn bytes_read_again_are_the_bytes_that_were_examined() {
    let shelf = Shelf::new();
    shelf.put("a.wasm", "first");
    let wanted = shelf.wanted("a.wasm");
    let artifact = shelf.examine(vec![wanted.clone()]).await.remove(0).expect("a good one");
    let bytes = shelf.artifacts.fetch_again(&wanted, &artifact.digest).await.expect("unchanged");
    assert_eq!(&bytes[..], b"first");
    shelf.put("a.wasm", "other");
    let error =
        shelf.artifacts.fetch_again(&wanted, &artifact.digest).await.expect_err("another content");
    assert_eq!(error.code(), Code::Hash);
}

#[tokio::test]
async fn a_dropped_examination_ends() {
    let shelf = Shelf::new();
    let names: Vec<String> = (0..10_000).map(|number| format!("{number}.wasm")).collect();
    names.iter().for_each(|name| shelf.put(name, "same"));
    let wanted = names.iter().map(|name| shelf.wanted(name)).collect();
    {
        let mut examining = std::pin::pin!(shelf.examine(wanted));
        // One poll starts the readers; then nobody waits for them any more.
        let waker = std::task::Waker::noop();
        let mut context = std::task::Context::from_waker(waker);
        assert!(examining.as_mut().poll(&mut context).is_pending());
    }
    // Threads that may block end with the runtime; until then they must have stopped early.
    let stopped = async {
        let mut before = u64::MAX;
        while before != shelf.artifacts.reads() {
            before = shelf.artifacts.reads();
            tokio::task::spawn_blocking(|| std::thread::park_timeout(Duration::from_millis(20)))
                .await
                .expect("a pause");
        }
    };
    tokio::time::timeout(PATIENCE, stopped).await.expect("the readers stop");
    assert!(shelf.artifacts.reads() < 10_000, "{} were read", shelf.artifacts.reads());
}

/// A shelf on which examining `stuck.wasm` takes until the test lets it end, as reading a file of a
/// disk that hangs does.
struct Stuck {
    shelf: Shelf,
    begun: Arc<AtomicUsize>,
    gate: Arc<Mutex<Receiver<()>>>,
}

impl Stuck {
    fn new() -> (Self, SyncSender<()>) {
        let (release, gate) = sync_channel(0);
        let gate = Arc::new(Mutex::new(gate));
        (Self { shelf: Shelf::new(), begun: Arc::default(), gate }, release)
    }

    async fn examine(&self, names: &[impl AsRef<str>]) -> Vec<String> {
        let wanted = names.iter().map(|name| self.shelf.wanted(name.as_ref())).collect();
        let (begun, gate) = (Arc::clone(&self.begun), Arc::clone(&self.gate));
        let examination = move |_: usize, bytes: &[u8]| {
            if bytes == b"stuck" {
                begun.fetch_add(1, Ordering::SeqCst);
                // An error means that the gate is open for good.
                let _ = gate.lock().expect("no panic in a test double").recv();
            }
            Ok(examined_as(String::from_utf8_lossy(bytes).into_owned()))
        };
        let results = self.shelf.artifacts.examine(wanted, |_, _| true, examination).await;
        results.into_iter().map(|one| one.expect("a good one").proof).collect()
    }

    /// Asks, and gives up once the stuck one is being examined.
    async fn ask_and_give_up(&self, names: &[&str]) {
        let stuck = async {
            while self.begun.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
            // Some time for a second reader, if there were one.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = self.examine(names) => panic!("one of them is stuck"),
            () = stuck => {}
        }
    }
}

#[tokio::test]
async fn a_file_that_hangs_costs_one_thread_however_often_it_is_asked_for() {
    let (stuck, release) = Stuck::new();
    stuck.shelf.put("stuck.wasm", "stuck");
    stuck.shelf.put("other.wasm", "other");
    // More often than there are threads for all lists together.
    for _ in 0..100 {
        stuck.ask_and_give_up(&["stuck.wasm", "other.wasm"]).await;
    }
    assert_eq!(stuck.begun.load(Ordering::SeqCst), 1, "one reader is enough to wait for a disk");
    let slow = stuck.shelf.artifacts.slower_than(Duration::ZERO);
    assert_eq!(slow, [stuck.shelf.wanted("stuck.wasm").reference], "it can be named");

    let others = tokio::time::timeout(PATIENCE, stuck.examine(&["other.wasm"])).await;
    assert_eq!(others.expect("a list without it does not wait"), ["other"]);

    let waiting = stuck.examine(&["stuck.wasm", "other.wasm"]);
    drop(release);
    let found = tokio::time::timeout(PATIENCE, waiting).await.expect("whoever waits is answered");
    assert_eq!(found, ["stuck", "other"]);
    assert!(stuck.shelf.artifacts.slower_than(Duration::ZERO).is_empty());
}

#[tokio::test]
async fn many_files_that_hang_stop_nobody_from_reading_others() {
    let (stuck, release) = Stuck::new();
    stuck.shelf.put("other.wasm", "other");
    // More than there are threads for files that do not hang.
    let names: Vec<String> = (0..80).map(|number| format!("{number}.wasm")).collect();
    names.iter().for_each(|name| stuck.shelf.put(name, "stuck"));
    let asked = names.iter().map(|name| stuck.examine(std::slice::from_ref(name)));
    let mut asking: Vec<_> = asked.map(Box::pin).collect();
    let waker = std::task::Waker::noop();
    let mut context = std::task::Context::from_waker(waker);
    let mut poll_all = || asking.iter_mut().all(|one| one.as_mut().poll(&mut context).is_pending());
    assert!(poll_all(), "they are stuck");
    let others = tokio::time::timeout(PATIENCE, stuck.examine(&["other.wasm"])).await;
    assert_eq!(others.expect("it does not wait for them"), ["other"]);
    drop(release);
}

#[tokio::test]
async fn what_is_wanted_beside_is_neither_looked_at_nor_forgotten() {
    let shelf = Shelf::new();
    let all = ["one", "two", "gone"];
    all.into_iter().for_each(|name| shelf.put(name, name));
    shelf.settle(&all).await;
    let reads = shelf.artifacts.reads();
    let found = shelf.examine_beside(vec![shelf.wanted("one")], vec![shelf.wanted("two")]).await;
    assert_eq!(found.len(), 1);
    let _ = shelf.proofs(&["one", "two"]).await;
    assert_eq!(shelf.artifacts.reads(), reads, "both are known");
    let _ = shelf.proofs(&all).await;
    assert_eq!(shelf.artifacts.reads(), reads + 1, "what nobody wanted was forgotten");
}
