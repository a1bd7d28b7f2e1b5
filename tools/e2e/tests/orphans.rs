//! A host that is killed leaves no provider's process behind.

use std::fs;
use std::path::{Path, PathBuf};

use trellis_testkit::{HostProcess, Signal, Site, eventually, example_program};

#[test]
fn a_process_dies_with_its_host() {
    let site = Site::new();
    let geo = example_program("geo");
    let manifest = format!("actors: []\nproviders: [{{process: {}}}]\n", geo.display());
    site.put("manifest.yaml", manifest);
    let host = HostProcess::start(&mut site.host("manifest.yaml")).expect("it starts");
    let children = children_of(host.process_id());
    let mut running = children.iter().filter(|child| is(child, "geo"));
    let (Some(provider), None) = (running.next(), running.next()) else {
        panic!("of {children:?} one is the provider");
    };
    host.signal(Signal::KILL);
    let gone = eventually(|| if is(provider, "geo") { Err(()) } else { Ok(()) });
    gone.expect("it was killed with its host");
}

/// The processes that this one started, by their folders under `/proc`.
fn children_of(process: u32) -> Vec<PathBuf> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).expect("it runs");
    let lists = threads.filter_map(|it| fs::read_to_string(it.ok()?.path().join("children")).ok());
    let lists: Vec<_> = lists.collect();
    let ids = lists.iter().flat_map(|list| list.split_whitespace());
    ids.map(|id| PathBuf::from("/proc").join(id)).collect()
}

/// True while the process runs a program of this name.
fn is(process: &Path, program: &str) -> bool {
    let name = fs::read_to_string(process.join("comm")).is_ok_and(|name| name.trim() == program);
    // One that was killed stays as a zombie until it is waited for.
    let stat = fs::read_to_string(process.join("stat")).unwrap_or_default();
    name && !stat.contains(") Z ")
}
