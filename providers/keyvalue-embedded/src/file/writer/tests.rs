//! When the writer answers.

use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};

use trellis_capabilities_keyvalue::Bounds;

use super::*;
use crate::clock::SystemClock;
use crate::file::{FileConfig, FileStore};

/// Says whether the file is there when it is answered.
struct Probe(PathBuf, SyncSender<bool>);

impl Job for Probe {
    fn run(&mut self, _: &mut Tables<'_>) -> Result<(), Box<redb::Error>> {
        Ok(())
    }

    fn answer(self: Box<Self>, _: Result<(), CallError>) {
        self.1.send(self.0.exists()).expect("the test waits");
    }

    fn looks(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn no_answer_waits_until_a_deleted_file_is_written_anew() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("store.redb");
    let config = FileConfig {
        path: path.clone(),
        cache_bytes: 1 << 20,
        immediate: true,
        bytes_max: 64 << 20,
        bounds: Bounds::default(),
    };
    let store = FileStore::open(config, Arc::new(SystemClock)).await.expect("it opens");
    std::fs::remove_file(&path).expect("it is there");
    let probe = async || {
        let (answer, answered) = sync_channel(1);
        let probe = Probe(path.clone(), answer);
        assert!(store.file.jobs.send(Box::new(probe)).await.is_ok(), "the writer works");
        answered.recv().expect("it is answered")
    };
    assert!(!probe().await, "the answer comes first");
    assert!(probe().await, "then it was written");
}
