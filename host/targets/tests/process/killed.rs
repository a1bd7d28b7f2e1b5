//! What becomes of programs, and of what they started, when the host is killed.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, Signal};

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

/// The process of a host that watches over its programs.
fn watcher_of(host: u32) -> Option<Pid> {
    let processes = std::fs::read_dir("/proc").expect("the processes");
    processes.flatten().find_map(|process| {
        let words = std::fs::read(process.path().join("cmdline")).ok()?;
        let stat = std::fs::read_to_string(process.path().join("stat")).ok()?;
        let parent = stat.rsplit(')').next()?.split_whitespace().nth(1)?;
        let watches = words.ends_with(b"\0watch\0") && parent == host.to_string();
        watches.then(|| Pid::from_raw(process.file_name().to_str()?.parse().ok()?)).flatten()
    })
}

/// True for a process that does something else than to end at a TERM.
fn is_deaf(process: Pid) -> bool {
    let status = format!("/proc/{}/status", process.as_raw_nonzero());
    let status = std::fs::read_to_string(status).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    caught.is_some_and(|mask| mask >> (Signal::TERM.as_raw() - 1) & 1 == 1)
}

/// The process that watches, once it does.
async fn until_watched(host: u32, not: Option<Pid>) -> Pid {
    let watcher = async {
        loop {
            let found = watcher_of(host).filter(|it| is_deaf(*it) && Some(*it) != not);
            if let Some(watcher) = found {
                break watcher;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, watcher).await.expect("one watches")
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
    // As somebody ends what they do not know: there is another one at once, which knows the group.
    let first = until_watched(host.id(), None).await;
    rustix::process::kill_process(first, Signal::KILL).expect("it runs");
    let watcher = until_watched(host.id(), Some(first)).await;
    // As a service manager ends all of a service, before it loses its patience.
    rustix::process::kill_process(watcher, Signal::TERM).expect("it runs");
    host.kill().expect("it runs");
    host.wait().expect("it was killed");
    until_gone(child.trim()).await;
}
