//! How long a guest may compute on its caller's thread.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use trellis_meters::thread_number;

/// Processor time between two looks that proves a guest is computing. Ticks alone prove nothing: on
/// a busy machine the kernel may have kept the thread waiting all the time.
const BUSY: Duration = Duration::from_micros(600);

/// What is known of a call's use of the processor.
#[derive(Clone, Copy, Default)]
pub(crate) enum Slice {
    /// It has not met a tick.
    #[default]
    Unknown,
    /// The thread's processor time at the last tick the call met.
    Marked { thread: usize, used: Duration },
    /// It has computed for a slice; from now on it yields at every tick.
    Busy,
}

impl Slice {
    /// At a tick: whether the guest should let others run. The first tick only marks the time, so a
    /// call computes for one to two milliseconds before this is true.
    pub(crate) fn is_over(&mut self) -> bool {
        let thread = thread_number();
        match *self {
            Self::Busy => return true,
            Self::Marked { thread: marked, used } if marked == thread => {
                if processor_time().saturating_sub(used) >= BUSY {
                    *self = Self::Busy;
                    return true;
                }
            }
            // Another thread's time says nothing: the call waited and moved in between.
            Self::Unknown | Self::Marked { .. } => {
                *self = Self::Marked { thread, used: processor_time() };
            }
        }
        false
    }
}

/// Processor time of this thread.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_computing_uses_up_a_slice() {
        let mut slice = Slice::default();
        assert!(!slice.is_over(), "the first tick marks");
        std::thread::park_timeout(Duration::from_millis(5));
        assert!(!slice.is_over(), "waiting is not computing");
        let begun = processor_time();
        while processor_time() - begun < BUSY {
            std::hint::spin_loop();
        }
        assert!(slice.is_over());
        assert!(slice.is_over(), "once busy, always busy");
    }
}
