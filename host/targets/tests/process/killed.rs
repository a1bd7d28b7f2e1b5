//! What becomes of programs, and of what they started, when the host is killed.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

use super::bench::{HOST, PATIENCE, made_of, script, until_gone};

/// A host with one provider that started something itself, in this folder; for ever.
pub(crate) fn host(folder: OsString) -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let starts = format!("sleep {} & echo $! > child.new", 10 * PATIENCE.as_secs());
        let command = script(Path::new(&folder), &starts);
        let _provider = made_of(command, Arc::default()).await.expect("it is made");
        let place = Path::new(&folder);
        std::fs::rename(place.join("child.new"), place.join("child")).expect("it was written");
        std::future::pending::<()>().await;
    });
    ExitCode::SUCCESS
}

pub(crate) async fn all() {
    what_a_program_started_ends_with_a_host_that_is_killed().await;
}

async fn what_a_program_started_ends_with_a_host_that_is_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = std::env::current_exe().expect("this program");
    let mut host = Command::new(own)
        .arg(HOST)
        .arg(folder.path())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("a process");
    let child = async {
        loop {
            if let Ok(child) = std::fs::read_to_string(folder.path().join("child")) {
                break child;
            }
            tokio::task::yield_now().await;
        }
    };
    let child = tokio::time::timeout(PATIENCE, child).await.expect("the provider runs");
    host.kill().expect("it runs");
    host.wait().expect("it was killed");
    until_gone(child.trim()).await;
}
