//! What happens to files, and what is noticed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;

use super::FileWatch;
use super::sentry::Sentry;
use super::task::{ABANDONED_MAX, Cause, Observer, QUIET};

/// Long enough for a slow machine; only a broken watch takes it.
const LONGEST: Duration = Duration::from_secs(30);

struct Site {
    folder: tempfile::TempDir,
    watch: FileWatch,
}

impl Site {
    /// Follows one file of a new folder in which `prepare` put things.
    async fn following(file: &str, prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        prepare(folder.path());
        let watch = FileWatch::start();
        watch.follow_modules(vec![folder.path().join(file)]).await;
        Self { folder, watch }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("it is below the site")).expect("a folder");
        fs::write(path, content).expect("a file");
    }

    async fn notices(&self, what: &str) {
        let noticed = tokio::time::timeout(LONGEST, self.watch.changed()).await;
        assert!(noticed.is_ok(), "{what} is noticed");
    }

    async fn ignores(&self, what: &str) {
        let noticed = tokio::time::timeout(QUIET * 3, self.watch.changed()).await;
        assert!(noticed.is_err(), "{what} is no change");
    }
}

#[tokio::test]
async fn a_file_is_written_in_place_replaced_removed_and_back() {
    let site = Site::following("app.yaml", |folder| {
        fs::write(folder.join("app.yaml"), "a").expect("a file");
    })
    .await;
    site.put("host.log", "a line");
    site.ignores("a log beside the manifest").await;
    site.put("app.yaml", "b");
    site.notices("a content of the same length, in place").await;
    site.put("next", "c");
    fs::rename(site.path("next"), site.path("app.yaml")).expect("replaced");
    site.notices("a file in its place").await;
    fs::remove_file(site.path("app.yaml")).expect("removed");
    site.notices("its end").await;
    site.put("app.yaml", "d");
    site.notices("its return").await;
}

#[tokio::test]
async fn a_folder_is_deleted_and_made_anew() {
    let site = Site::following("dist/out/echo.wasm", |_| {}).await;
    site.put("dist/out/echo.wasm", "1");
    site.notices("a file whose folders did not exist").await;
    for round in ["2", "3"] {
        fs::remove_dir_all(site.path("dist")).expect("removed");
        site.put("dist/out/echo.wasm", round);
        site.notices("a clean build").await;
        site.put("dist/out/echo.wasm", &format!("{round}, again"));
        site.notices("the build after it").await;
    }
    fs::rename(site.path("dist"), site.path("old")).expect("moved");
    site.notices("a folder that moved away").await;
    site.put("dist/out/echo.wasm", "4");
    site.notices("another one in its place").await;
    site.put("old/out/echo.wasm", "nobody looks here any more");
    site.ignores("the old folder").await;
}

#[tokio::test]
async fn a_symbolic_link_is_led_elsewhere() {
    let site = Site::following("current/app.wasm", |folder| {
        for release in ["1", "2"] {
            fs::create_dir_all(folder.join(release)).expect("a folder");
            fs::write(folder.join(release).join("app.wasm"), release).expect("a file");
        }
        symlink("1", folder.join("current")).expect("a link");
    })
    .await;
    site.put("2/app.wasm", "not yet");
    site.ignores("the other release").await;
    symlink("2", site.path("next")).expect("a link");
    fs::rename(site.path("next"), site.path("current")).expect("switched");
    site.notices("another release").await;
    site.put("2/app.wasm", "now");
    site.notices("a change of it").await;
}

#[tokio::test]
async fn a_change_that_nobody_waited_for_is_kept() {
    let site = Site::following("app.yaml", |folder| {
        fs::write(folder.join("app.yaml"), "a").expect("a file");
    })
    .await;
    site.put("app.yaml", "b");
    let found_at_last = async {
        // A wait that is given up takes nothing away.
        while tokio::time::timeout(Duration::from_millis(1), site.watch.changed()).await.is_err() {}
    };
    tokio::time::timeout(LONGEST, found_at_last).await.expect("the change is kept");
}

#[tokio::test]
async fn a_file_that_is_never_quiet_holds_nothing_back() {
    let site = Site::following("app.yaml", |folder| {
        fs::write(folder.join("app.yaml"), "a").expect("a file");
    })
    .await;
    let writing = async {
        let mut pace = tokio::time::interval(QUIET / 3);
        for round in 0_u32.. {
            pace.tick().await;
            site.put("app.yaml", &round.to_string());
        }
    };
    tokio::select! {
        () = site.notices("a change that goes on") => {}
        () = writing => {}
    }
}

/// A disk on which every file named `hung` does not answer until the test lets it.
#[derive(Clone)]
struct HungDisk {
    gate: Arc<Mutex<Receiver<()>>>,
    /// Threads that ever waited for it.
    held: Arc<AtomicUsize>,
}

/// Observer of this machine, for files of which some are on that disk.
struct HeldObserver {
    disk: HungDisk,
    sees: Sentry,
}

impl HungDisk {
    fn new() -> (Self, SyncSender<()>) {
        let (release, gate) = sync_channel(0);
        (Self { gate: Arc::new(Mutex::new(gate)), held: Arc::default() }, release)
    }

    /// A watch whose modules may be on this disk.
    fn watch(&self, patience: Duration) -> FileWatch {
        let disk = self.clone();
        let open = move |events: mpsc::Sender<()>| HeldObserver {
            disk: disk.clone(),
            sees: Sentry::new(events),
        };
        FileWatch::with(open, patience)
    }
}

impl Observer for HeldObserver {
    fn follow(&mut self, files: Vec<PathBuf>) {
        if files.iter().any(|file| file.ends_with("hung")) {
            self.disk.held.fetch_add(1, Ordering::SeqCst);
            // An error means that the gate is open for good.
            let _ = self.disk.gate.lock().expect("no panic in a test double").recv();
        }
        self.sees.follow(files);
    }

    fn look(&mut self, cause: Cause) -> bool {
        self.sees.look(cause)
    }

    fn polls(&self) -> bool {
        self.sees.polls()
    }
}

#[tokio::test]
async fn a_manifest_is_noticed_while_the_disk_of_a_module_hangs() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("app.yaml"), "a").expect("a file");
    let (disk, release) = HungDisk::new();
    let site = Site { watch: disk.watch(Duration::from_millis(500)), folder };
    site.watch.follow_manifest(site.path("app.yaml")).await;
    site.watch.follow_modules(vec![site.path("hung")]).await;
    site.put("app.yaml", "b");
    site.notices("a change of the manifest").await;

    // The manifest no longer names what hangs.
    site.watch.follow_modules(vec![site.path("fine.wasm")]).await;
    site.put("fine.wasm", "1");
    site.notices("a module on another disk").await;

    // What is followed late was not looked at in time.
    site.watch.follow_modules(vec![site.path("hung")]).await;
    site.ignores("a disk that still hangs").await;
    drop(release);
    site.notices("a disk that answers again").await;
}

#[tokio::test]
async fn a_disk_that_hangs_costs_few_threads_however_often_its_files_are_followed() {
    let (disk, release) = HungDisk::new();
    let watch = disk.watch(Duration::from_millis(20));
    for round in 0..4 * ABANDONED_MAX {
        watch.follow_modules(vec![PathBuf::from(format!("/{round}/hung"))]).await;
    }
    let held = disk.held.load(Ordering::SeqCst);
    assert!((1..=ABANDONED_MAX + 1).contains(&held), "{held} threads wait for the disk");
    drop(release);
}

/// An observer that sees a change, and on a disk that hangs does not see what comes of it.
struct SeesAndHangs {
    looks: Arc<AtomicUsize>,
    gate: Arc<Mutex<Receiver<()>>>,
}

impl Observer for SeesAndHangs {
    fn follow(&mut self, _: Vec<PathBuf>) {}

    fn look(&mut self, _: Cause) -> bool {
        match self.looks.fetch_add(1, Ordering::SeqCst) {
            0 => true,
            1 => {
                // An error means that the gate is open for good.
                let _ = self.gate.lock().expect("no panic in a test double").recv();
                false
            }
            _ => false,
        }
    }

    fn polls(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn a_change_that_was_seen_before_the_disk_hung_is_told() {
    let (release, gate) = sync_channel(0);
    let (looks, gate) = (Arc::<AtomicUsize>::default(), Arc::new(Mutex::new(gate)));
    let counted = Arc::clone(&looks);
    let open = move |_| SeesAndHangs { looks: Arc::clone(&counted), gate: Arc::clone(&gate) };
    let watch = FileWatch::with(open, Duration::from_millis(20));
    let hangs = async {
        while looks.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONGEST, hangs).await.expect("it looks twice");
    watch.follow_modules(Vec::new()).await;
    let told = tokio::time::timeout(LONGEST, watch.changed()).await;
    assert!(told.is_ok(), "another observer goes on with what was seen");
    drop(release);
}
