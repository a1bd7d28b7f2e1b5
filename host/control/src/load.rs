//! How much actors and providers have to do.

use serde::{Deserialize, Serialize};

use crate::lifecycle::ComponentKind;

/// What an actor or a provider had to do since the host started, and what it takes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Load {
    /// What it is.
    pub kind: ComponentKind,
    /// Its name in the manifest.
    pub name: String,
    /// Calls that ended.
    pub calls: u64,
    /// Those that failed.
    pub failures: u64,
    /// How long they took: none but those in which there are calls.
    pub times: Vec<TimeBucket>,
    /// Half of them took less than this, in microseconds; `None` without calls, or when that is
    /// more than is measured.
    pub p50_us: Option<u64>,
    /// Nine of ten.
    pub p90_us: Option<u64>,
    /// Ninety-nine of a hundred.
    pub p99_us: Option<u64>,
    /// Instances that are alive, of an actor that runs.
    pub instances: Option<u32>,
    /// Calls that wait for one.
    pub waiting: Option<u32>,
    /// Memory of its process in bytes, of a provider that is a program.
    pub memory_bytes: Option<u64>,
}

/// Calls that took about as long.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TimeBucket {
    /// They took less than this, in microseconds, and at least as long as the bucket before says;
    /// `None` for all that took longer than is told apart.
    pub under_us: Option<u64>,
    /// How many.
    pub calls: u64,
}

impl Load {
    /// Something without calls.
    #[must_use]
    pub fn of(kind: ComponentKind, name: String) -> Self {
        Self {
            kind,
            name,
            calls: 0,
            failures: 0,
            times: Vec::new(),
            p50_us: None,
            p90_us: None,
            p99_us: None,
            instances: None,
            waiting: None,
            memory_bytes: None,
        }
    }

    /// The same with calls that took so long.
    #[must_use]
    pub fn with_calls(mut self, times: Vec<TimeBucket>, failures: u64) -> Self {
        self.calls = times.iter().map(|it| it.calls).sum();
        [self.p50_us, self.p90_us, self.p99_us] =
            [50, 90, 99].map(|percent| within_us(&times, percent));
        self.times = times.into_iter().filter(|it| it.calls > 0).collect();
        self.failures = failures;
        self
    }

    /// What it had to do since it was as `before`. One that was restarted meanwhile begins anew.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        if before.calls > self.calls || before.failures > self.failures {
            return self.clone();
        }
        let known = |bucket: &TimeBucket| {
            before.times.iter().find(|it| it.under_us == bucket.under_us).map_or(0, |it| it.calls)
        };
        let times = self.times.iter().map(|bucket| TimeBucket {
            under_us: bucket.under_us,
            calls: bucket.calls.saturating_sub(known(bucket)),
        });
        self.clone().with_calls(times.collect(), self.failures - before.failures)
    }
}

/// What so many of a hundred stay below.
fn within_us(times: &[TimeBucket], percent: u64) -> Option<u64> {
    let calls: u64 = times.iter().map(|it| it.calls).sum();
    let wanted = (calls * percent).div_ceil(100);
    let mut seen = 0;
    let bucket = times.iter().find(|it| {
        seen += it.calls;
        it.calls > 0 && seen >= wanted
    });
    bucket?.under_us
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(calls: &[(Option<u64>, u64)]) -> Vec<TimeBucket> {
        calls
            .iter()
            .map(|(under_us, calls)| TimeBucket { under_us: *under_us, calls: *calls })
            .collect()
    }

    fn load(calls: &[(Option<u64>, u64)], failures: u64) -> Load {
        Load::of(ComponentKind::Actor, "a".to_owned()).with_calls(times(calls), failures)
    }

    #[test]
    fn percentiles_are_what_so_many_stay_below() {
        let it = load(&[(Some(2), 0), (Some(5), 50), (Some(10), 40), (Some(25), 9), (None, 1)], 3);
        assert_eq!((it.calls, it.failures, it.times.len()), (100, 3, 4));
        assert_eq!((it.p50_us, it.p90_us, it.p99_us), (Some(5), Some(10), Some(25)));
        let slow = load(&[(Some(5), 1), (None, 9)], 0);
        assert_eq!((slow.p50_us, slow.p99_us), (None, None), "longer than is told apart");
        assert_eq!(load(&[], 0).p50_us, None);
    }

    #[test]
    fn what_was_since_then_is_the_difference() {
        let before = load(&[(Some(5), 10)], 1);
        let now = load(&[(Some(5), 12), (Some(25), 8)], 4);
        let since = now.since(&before);
        assert_eq!((since.calls, since.failures, since.p90_us), (10, 3, Some(25)));
        assert_eq!(before.since(&now), before, "it was counted anew");
    }
}
