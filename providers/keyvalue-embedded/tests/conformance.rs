//! The contract's behavior, in memory and in a file.

mod common;

use trellis_providers_conformance::keyvalue;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_memory() {
    keyvalue::run(&common::subject(&common::values(&[])).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_file() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("deep/er/store.redb");
    keyvalue::run(&common::subject(&common::in_file(&path)).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_file_with_eventual_durability() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("store.redb");
    let path = path.to_str().expect("test paths are UTF-8");
    let given = common::values(&[("PATH", path), ("DURABILITY", "eventual")]);
    keyvalue::run(&common::subject(&given).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_keeps_goes_out_and_in() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let in_memory = common::open(&common::values(&[])).await;
    let in_a_file = common::open(&common::in_file(&folder.path().join("store.redb"))).await;
    for (from, to) in [
        (&in_memory, &in_memory),
        (&in_a_file, &in_a_file),
        (&in_memory, &in_a_file),
        (&in_a_file, &in_memory),
    ] {
        let from = common::bind(from, "M1", common::values(&[])).await;
        let to = common::bind(to, "M2", common::values(&[("NAMESPACE", "other")])).await;
        keyvalue::data::check(&from, &to).await;
    }
}
