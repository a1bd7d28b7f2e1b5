//! What happens to files, and what is noticed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{FileWatch, QUIET};

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
        watch.follow(vec![folder.path().join(file)]).await;
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
