//! A client that sends requests without a pause, so a lost one is seen.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context, Result, bail, ensure};
use trellis_testkit::{Client, eventually};

/// A client on its own thread, with one connection that it keeps open.
pub struct Load {
    asking: Arc<Asking>,
    client: JoinHandle<Result<u64>>,
}

/// What the client and the scenario share.
///
/// `Relaxed` is enough for both: they publish no other data, and joining the thread orders what the
/// client returns.
#[derive(Default)]
struct Asking {
    answered: AtomicU64,
    stop: AtomicBool,
}

/// How many requests must be answered after a change before the load may end.
const AFTERWARDS: u64 = 20;

impl Load {
    /// Starts asking for this path; returns when the first answers are there.
    ///
    /// # Errors
    /// When none come.
    pub fn start(address: SocketAddr, path: &'static str) -> Result<Self> {
        let asking = Arc::<Asking>::default();
        let counters = Arc::clone(&asking);
        let load =
            Self { asking, client: std::thread::spawn(move || ask((address, path), &counters)) };
        load.wait_for_more()?;
        Ok(load)
    }

    /// Waits for some more answers, stops asking, and gives their number.
    ///
    /// # Errors
    /// The first request that was not answered with 200.
    pub fn end(self) -> Result<u64> {
        // The client below reports what went wrong.
        let _ = self.wait_for_more();
        self.asking.stop.store(true, Ordering::Relaxed);
        match self.client.join() {
            Ok(outcome) => outcome,
            Err(_) => bail!("the client panicked"),
        }
    }

    fn wait_for_more(&self) -> Result<()> {
        let enough = self.asking.answered.load(Ordering::Relaxed) + AFTERWARDS;
        eventually(|| {
            let answered = self.asking.answered.load(Ordering::Relaxed);
            ensure!(answered >= enough || self.client.is_finished(), "only {answered} responses");
            Ok(())
        })
    }
}

fn ask((address, path): (SocketAddr, &str), asking: &Asking) -> Result<u64> {
    let mut client = Client::new(address);
    while !asking.stop.load(Ordering::Relaxed) {
        let number = asking.answered.load(Ordering::Relaxed) + 1;
        let answer = client.send("GET", path, b"").with_context(|| format!("request {number}"))?;
        let text = answer.text();
        ensure!(answer.status == 200, "request {number}: {} {text}", answer.status);
        asking.answered.store(number, Ordering::Relaxed);
    }
    Ok(asking.answered.load(Ordering::Relaxed))
}
