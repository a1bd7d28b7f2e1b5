//! A host with a clock, randomness and settings that a test decides.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use trellis_core::wire::{Blob, Pairs};
use trellis_core::{Contract, OperationSpec};

use super::stage::{Answer, HostCall, reply, with_host};
use crate::contracts::{clock, config, random};

/// What a [`FakeHost`] answers by itself; `None` leaves the call to the next.
type Part = Box<dyn FnMut(&HostCall) -> Option<Answer>>;

/// A host for unit tests: contracts it was given answer as their real ones do, any other call is
/// refused, or answered by [`FakeHost::otherwise`].
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use trellis_actor::prelude::*;
/// use trellis_actor::testing::{FakeClock, FakeHost};
///
/// fn link() -> Result<String> {
///     let age = clock::now()?.duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
///     Ok(format!("{}?at={age}", config::required("BASE_URL")?))
/// }
///
/// let (link, calls) = FakeHost::new()
///     .clock(&FakeClock::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)))
///     .values(&[("BASE_URL", "https://example.org/")])
///     .run(link);
/// assert_eq!(link.expect("all is there"), "https://example.org/?at=1700000000");
/// assert_eq!(calls.len(), 2);
/// ```
#[derive(Default)]
pub struct FakeHost {
    parts: Vec<Part>,
}

/// A clock that a test sets; clones are one clock.
#[derive(Clone, Debug)]
pub struct FakeClock {
    start_nanos: u64,
    passed_nanos: Arc<AtomicU64>,
}

impl FakeClock {
    /// A clock that stands at `time`; moments before 1970 count as 1970.
    #[must_use]
    pub fn at(time: SystemTime) -> Self {
        let unix = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { start_nanos: nanos(unix), passed_nanos: Arc::default() }
    }

    /// Lets `time` go by.
    pub fn advance(&self, time: Duration) {
        // Relaxed: a test sets the clock on the thread that reads it.
        self.passed_nanos.fetch_add(nanos(time), Ordering::Relaxed);
    }

    fn reading(&self) -> clock::Reading {
        let passed = self.passed_nanos.load(Ordering::Relaxed);
        clock::Reading {
            unix_nanos: self.start_nanos.saturating_add(passed),
            monotonic_nanos: passed,
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl FakeHost {
    /// A host that refuses every call.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers `trellis:clock` from `clock`, which the test keeps to set it.
    #[must_use]
    pub fn clock(self, clock: &FakeClock) -> Self {
        let clock = clock.clone();
        self.part(clock::CONTRACT, move |_| reply::<clock::Now>(&clock.reading()))
    }

    /// Answers `trellis:random` with bytes that follow from `seed`: the same in every run.
    #[must_use]
    pub fn random(self, seed: u64) -> Self {
        let mut state = seed;
        self.part(random::CONTRACT, move |call| {
            let count = request::<random::Draw>(call)?.count;
            if count > random::BYTES_MAX {
                return Err(format!("E_TOO_LARGE: {count} bytes at once"));
            }
            reply::<random::Draw>(&Blob((0..count).map(|_| next_byte(&mut state)).collect()))
        })
    }

    /// Answers `trellis:config` with these keys and texts.
    #[must_use]
    pub fn values(self, values: &[(&str, &str)]) -> Self {
        let mut values: Vec<_> =
            values.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        values.sort();
        self.part(config::CONTRACT, move |call| {
            if call.operation == config::All::NAME {
                return reply::<config::All>(&Pairs(values.clone()));
            }
            let wanted = request::<config::Get>(call)?.key;
            let found = values.iter().find(|(key, _)| *key == wanted);
            reply::<config::Get>(&found.map(|(_, text)| text.clone()))
        })
    }

    /// Answers every call that nothing before it answers.
    #[must_use]
    pub fn otherwise(mut self, mut answer: impl FnMut(&HostCall) -> Answer + 'static) -> Self {
        self.parts.push(Box::new(move |call| Some(answer(call))));
        self
    }

    /// Runs `body` on this host; gives back its result and every call it made.
    ///
    /// # Panics
    /// When used inside itself.
    pub fn run<T>(mut self, body: impl FnOnce() -> T) -> (T, Vec<HostCall>) {
        let answer = move |call: &HostCall| {
            let refusal = || Err(format!("E_DENIED: no binding to {}", call.namespace));
            self.parts.iter_mut().find_map(|part| part(call)).unwrap_or_else(refusal)
        };
        with_host(answer, body)
    }

    fn part(
        mut self,
        contract: Contract,
        mut answer: impl FnMut(&HostCall) -> Answer + 'static,
    ) -> Self {
        self.parts.push(Box::new(move |call| {
            if !contract.answers_to(&call.namespace) {
                return None;
            }
            Some(match contract.operation(&call.operation) {
                Some(_) => answer(call),
                None => Err(format!("E_NOT_FOUND: {} has no such operation", contract.id)),
            })
        }));
        self
    }
}

impl std::fmt::Debug for FakeHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakeHost").field("parts", &self.parts.len()).finish()
    }
}

fn request<O: OperationSpec>(call: &HostCall) -> Result<O::Input, String> {
    O::decode_input(&call.payload).map_err(|error| error.to_string())
}

/// The high byte of a step of SplitMix64. Source: Steele, Lea and Flood, "Fast Splittable
/// Pseudorandom Number Generators", 2014.
fn next_byte(state: &mut u64) -> u8 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)).to_be_bytes()[0]
}

#[cfg(test)]
mod tests {
    use trellis_core::Code;

    use super::*;

    #[test]
    fn the_clock_moves_when_the_test_says_so() {
        let time = FakeClock::at(SystemTime::UNIX_EPOCH + Duration::from_secs(100));
        let hand = time.clone();
        let ((), _) = FakeHost::new().clock(&time).run(move || {
            let (then, start) = (clock::now().expect("a clock"), clock::monotonic().expect("one"));
            hand.advance(Duration::from_millis(1500));
            let passed = clock::now().expect("a clock").duration_since(then);
            assert_eq!(passed.expect("time goes on"), Duration::from_millis(1500));
            assert_eq!(clock::monotonic().expect("one") - start, Duration::from_millis(1500));
        });
    }

    #[test]
    fn randomness_follows_from_the_seed_and_is_asked_for_in_parts() {
        let draw = |seed, count| {
            FakeHost::new().random(seed).run(move || random::bytes(count).expect("random bytes"))
        };
        let (large, calls) = draw(1, 70_000);
        assert_eq!((large.len(), calls.len()), (70_000, 2));
        assert_eq!(draw(1, 70_000).0, large);
        assert_ne!(draw(2, 70_000).0, large);
        assert_eq!(draw(1, 0), (Vec::new(), Vec::new()), "nothing is asked for nothing");
        let (number, _) = FakeHost::new().random(3).run(|| (random::u64(), random::u64()));
        assert_ne!(number.0, number.1);
    }

    #[test]
    fn settings_are_found_and_missed() {
        let host = FakeHost::new().values(&[("B", "2"), ("A", "")]);
        let (answers, _) =
            host.run(|| (config::get("A"), config::get("C"), config::required("C"), config::all()));
        assert_eq!(answers.0, Ok(Some(String::new())));
        assert_eq!(answers.1, Ok(None));
        let missing = answers.2.expect_err("the manifest does not give it");
        assert_eq!(missing.code(), Code::Config);
        assert!(missing.message().contains("`C`"), "{missing}");
        let pairs = [("A", ""), ("B", "2")].map(|(key, text)| (key.to_owned(), text.to_owned()));
        assert_eq!(answers.3, Ok(pairs.to_vec()));
    }

    #[test]
    fn what_was_not_given_is_refused_or_answered_otherwise() {
        let (refused, calls) = FakeHost::new().run(clock::now);
        assert_eq!(refused.expect_err("no clock was given").code(), Code::Denied);
        assert_eq!(calls[0].namespace, "trellis:clock");
        let other = |_: &HostCall| Err("E_BUSY: later".to_owned());
        let (busy, _) = FakeHost::new().values(&[]).otherwise(other).run(clock::now);
        assert_eq!(busy.expect_err("answered otherwise").code(), Code::Busy);
    }
}
