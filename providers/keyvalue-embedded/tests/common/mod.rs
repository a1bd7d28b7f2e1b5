//! What the tests of this provider share.
#![allow(dead_code, reason = "each test uses its part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use trellis_core::CallError;
use trellis_providers_conformance::keyvalue::{Store, Subject, Time};
use trellis_providers_keyvalue_embedded::{Clock, Embedded, SystemClock};
use trellis_providers_sdk::{BoxFuture, Health, Provider, Values};

/// Names the file to the process a test starts.
const CHILD_PATH: &str = "TRELLIS_TEST_STORE";

/// Only a test that fails waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A clock that only a test moves.
#[derive(Debug)]
pub(crate) struct ManualClock(AtomicU64);

impl Default for ManualClock {
    fn default() -> Self {
        Self(AtomicU64::new(1_700_000_000_000))
    }
}

impl ManualClock {
    pub(crate) fn pass_ms(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Time for ManualClock {
    fn now_ms(&self) -> u64 {
        Clock::now_ms(self)
    }

    fn tick(&self) -> BoxFuture<'_, ()> {
        self.pass_ms(10);
        Box::pin(async {})
    }
}

pub(crate) fn values(pairs: &[(&str, &str)]) -> Values {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// The values of a provider that keeps its keys in `path`.
pub(crate) fn in_file(path: &Path) -> Values {
    values(&[("PATH", path.to_str().expect("test paths are UTF-8"))])
}

pub(crate) async fn open(given: &Values) -> Arc<Embedded> {
    let opened = Embedded::open(given, Arc::new(SystemClock)).await;
    Arc::new(opened.expect("the values are right"))
}

/// The provider as the conformance suite wants it, with a clock of its own.
pub(crate) async fn subject(given: &Values) -> Subject {
    let clock = Arc::new(ManualClock::default());
    let opened = Embedded::open(given, Arc::clone(&clock) as Arc<dyn Clock>).await;
    Subject { provider: Arc::new(opened.expect("the values are right")), time: clock }
}

/// A binding of `actor` with these values.
pub(crate) async fn bind(provider: &Arc<Embedded>, actor: &str, given: Values) -> Store {
    let provider = Arc::clone(provider) as Arc<dyn Provider>;
    Store::bind(&provider, actor, given).await.expect("the binding's values are right")
}

/// Asks until the store answers; opening its file again takes it a moment.
pub(crate) async fn until_answered<T, A: Future<Output = Result<T, CallError>>>(
    ask: impl Fn() -> A,
) -> T {
    let asked = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => {
                assert!(asked.elapsed() < PATIENCE, "it never came back: {error}");
                tokio::task::yield_now().await;
            }
        }
    }
}

/// Waits until a look is satisfied; a provider looks at its file once a second.
pub(crate) async fn eventually(what: &str, look: impl AsyncFn() -> bool) {
    let looks = async {
        while !look().await {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, looks).await.is_ok(), "{what}");
}

/// Waits until the provider's health says `why`; nothing = that all is well.
pub(crate) async fn says(provider: &Embedded, why: &str) {
    let told = async || match provider.health().await {
        Health::Healthy => why.is_empty(),
        Health::Degraded(told) => !why.is_empty() && told.contains(why),
    };
    eventually(why, told).await;
}

/// This test binary again, to run one of its ignored tests on `path`.
pub(crate) fn child(test: &str, path: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a test is a program"));
    command.args(["--exact", test, "--ignored", "--nocapture"]).env(CHILD_PATH, path);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// The file this process was started for; none when nobody started it.
pub(crate) fn child_path() -> Option<PathBuf> {
    std::env::var_os(CHILD_PATH).map(PathBuf::from)
}

/// The sample with this in its name, as it is shown.
pub(crate) fn sample(provider: &Embedded, name: &str) -> Option<String> {
    provider.samples().iter().map(ToString::to_string).find(|sample| sample.contains(name))
}
