//! How the calls of one version of a target went, for whoever has to judge it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use trellis_core::{Code, ErrorKind};
use trellis_meters::Times;

use crate::metrics::TargetMetrics;

/// How the calls of one route went so far.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Tally {
    /// Calls that ended. The last ones of the route before it are among them: calls are counted by
    /// their target's name, which costs a call nothing more.
    pub calls: u64,
    /// Those of its own that failed by its target's fault.
    pub faults: u64,
}

/// What is counted of one route.
pub(crate) struct Counted {
    durations: Arc<Times>,
    /// How many calls had ended when the route was made.
    before: u64,
    faults: AtomicU64,
}

impl Counted {
    /// Counts the calls from now on.
    pub(crate) fn from_now(metrics: &TargetMetrics) -> Self {
        let durations = Arc::clone(metrics.durations());
        let before = durations.count();
        Self { durations, before, faults: AtomicU64::new(0) }
    }

    /// A call failed.
    #[cold]
    pub(crate) fn failed(&self, code: Code, (by_system, to_provider): (bool, bool)) {
        // Who calls by hand may have mistyped the operation, or what goes with it: that a target
        // says so is no fault of its own.
        let is_mistaken = by_system && matches!(code, Code::Guest);
        if is_own_fault(code, to_provider) && !is_mistaken {
            // Relaxed, as where it is read: a count guards no other memory.
            self.faults.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn tally(&self) -> Tally {
        let calls = self.durations.count().saturating_sub(self.before);
        Tally { calls, faults: self.faults.load(Ordering::Relaxed) }
    }
}

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tally().fmt(f)
    }
}

/// True for a failure that another version of the target might not have had. An outage that an
/// actor passes on is not its own. Of a call that is late nobody knows whom it waited for, so it
/// counts.
const fn is_own_fault(code: Code, to_provider: bool) -> bool {
    match code.kind() {
        ErrorKind::Guest | ErrorKind::Deadline => true,
        ErrorKind::Provider => to_provider,
        _ => matches!(code, Code::CrashLoop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn what_an_actor_answers_to_a_call_by_hand_is_not_held_against_it() {
        let counted = Counted::from_now(&Metrics::default().of_target("a"));
        for (code, by_system, faults) in [
            (Code::Guest, true, 0),
            (Code::Guest, false, 1),
            (Code::Trap, true, 2),
            (Code::Timeout, true, 3),
        ] {
            counted.failed(code, (by_system, false));
            assert_eq!(counted.tally().faults, faults, "{code}");
        }
    }

    #[test]
    fn an_outage_is_the_fault_of_the_provider_and_not_of_the_actor_that_passes_it_on() {
        for (code, of_actor, of_provider) in [
            (Code::Trap, true, true),
            (Code::Guest, true, true),
            (Code::Timeout, true, true),
            (Code::CrashLoop, true, true),
            (Code::Provider, false, true),
            (Code::Storage, false, true),
            (Code::Busy, false, false),
            (Code::Denied, false, false),
            (Code::Message, false, false),
            (Code::NotFound, false, false),
        ] {
            assert_eq!(is_own_fault(code, false), of_actor, "{code}");
            assert_eq!(is_own_fault(code, true), of_provider, "{code}");
        }
    }
}
