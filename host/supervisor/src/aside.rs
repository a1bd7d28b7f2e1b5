//! Work nobody waits for, until the host stops.

use std::future::Future;

use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// Tasks that finish what was let go. Their number is bounded by what was let go, and each has a
/// deadline of its own.
#[derive(Default)]
pub(crate) struct Aside(Mutex<JoinSet<()>>);

impl Aside {
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.0.lock();
        // Those that ended are taken out, so that the set does not grow with every change.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(work);
    }

    /// Waits for all of it until `until`; what is left then is dropped.
    pub(crate) async fn finish(&self, until: Instant) {
        loop {
            let mut tasks = std::mem::take(&mut *self.0.lock());
            if tasks.is_empty() {
                return;
            }
            let all = async { while tasks.join_next().await.is_some() {} };
            if timeout_at(until, all).await.is_err() {
                return;
            }
        }
    }
}
