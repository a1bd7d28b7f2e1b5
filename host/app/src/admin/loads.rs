//! `GET /v1/loads`: what actors and providers have to do, and what they take.

use std::collections::BTreeMap;
use std::fs;

use trellis_control::{ComponentKind, Load, Overview, TimeBucket};
use trellis_dispatch::TargetLoad;

/// The loads of all that runs or is wanted, actors first.
pub(super) fn loads(overview: Overview, targets: Vec<TargetLoad>) -> Vec<Load> {
    let targets: BTreeMap<_, _> =
        targets.into_iter().map(|load| (load.target.clone(), load)).collect();
    let of = |kind, name: String| match targets.get(&name) {
        Some(TargetLoad { times, failures, .. }) => {
            let bucket =
                |(under_us, calls): &(_, _)| TimeBucket { under_us: *under_us, calls: *calls };
            Load::of(kind, name).with_calls(times.iter().map(bucket).collect(), *failures)
        }
        None => Load::of(kind, name),
    };
    let actors = overview.actors.into_iter().map(|actor| Load {
        instances: actor.instances.map(|it| it.alive),
        waiting: actor.instances.map(|it| it.waiting),
        ..of(ComponentKind::Actor, actor.name)
    });
    let providers = overview.providers.into_iter().map(|provider| Load {
        memory_bytes: provider.process.and_then(|it| it.pid).and_then(resident_bytes),
        ..of(ComponentKind::Provider, provider.name)
    });
    actors.chain(providers).collect()
}

/// Memory of a process that is not on a disk. Source: proc_pid_status(5).
fn resident_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_takes_some_memory_and_one_that_is_not_there_none() {
        let own = resident_bytes(std::process::id()).expect("it runs");
        assert!((1 << 20..1 << 34).contains(&own), "{own}");
        assert_eq!(resident_bytes(u32::MAX), None);
    }
}
