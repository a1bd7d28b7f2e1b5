//! The tasks that send, aside from the road.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout_at};
use trellis_core::Span;

use crate::exemplars::Exemplars;
use crate::otlp::{self, Moment};
use crate::outlet::{Counters, Outlet};
use crate::page::families;
use crate::sender::{self, Trouble};
use crate::settings::Settings;
use crate::tracer::now_unix_ns;

/// How often spans are sent before they are given up: newer ones wait.
const TRIES: u32 = 5;
/// The pause after the first of these, which doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause, whatever a receiver asks for.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Gives the metrics page.
pub(crate) type Page = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// One task's way to its receiver.
pub(crate) struct Way {
    pub(crate) outlet: Arc<Outlet>,
    pub(crate) settings: Settings,
    /// True once the host stops.
    pub(crate) stops: watch::Receiver<bool>,
}

/// What is sent in one request.
struct Message {
    bytes: Vec<u8>,
    /// So many spans, or data points.
    items: u64,
}

/// Sends spans until the host stops, and then those that wait.
pub(crate) async fn spans(
    mut way: Way,
    mut queue: mpsc::Receiver<Span>,
    (counters, exemplars): (Counters, Arc<Exemplars>),
) {
    let client = way.client().await;
    loop {
        let batch = way.gather(&mut queue).await;
        if batch.is_empty() {
            return;
        }
        batch.iter().for_each(|span| exemplars.note(span));
        if !way.deliver(client.as_ref(), &batch).await {
            counters.dropped.inc_by(batch.len() as u64);
        }
    }
}

/// Sends the metrics page again and again, and once more when the host stops. One that is not
/// received is not sent again: the next one says the same and more.
pub(crate) async fn metrics(mut way: Way, page: Page) {
    let client = way.client().await;
    let (begun_unix_ns, every) = (now_unix_ns(), way.settings.metrics_every);
    let mut ticks = interval_at(Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let stops = tokio::select! {
            _ = ticks.tick() => false,
            () = stopped(&mut way.stops) => true,
        };
        let (resource, page) = (way.settings.resource.clone(), Arc::clone(&page));
        // Ten thousand actors take a while, which no call has to wait for.
        let writing = spawn_blocking(move || {
            let page = page()?;
            let moment = Moment { begun_unix_ns, now_unix_ns: now_unix_ns() };
            let families = families(&page);
            let items = families.iter().map(|family| family.points.len() as u64).sum();
            Some(Message { bytes: otlp::metrics(&resource, &families, moment), items })
        });
        // A panic is logged where it happened.
        if let Ok(Some(message)) = writing.await {
            // What is to be known of a failure was said.
            let _ = way.send(client.as_ref(), message).await;
        }
        if stops {
            return;
        }
    }
}

impl Way {
    /// The client, or why there is none.
    async fn client(&self) -> Result<Client, Trouble> {
        let receiver = self.outlet.receiver.clone();
        // It may read the certificates that this machine trusts.
        let made = spawn_blocking(move || sender::client(&receiver)).await;
        made.unwrap_or_else(|error| {
            let why = format!("making an HTTP client failed: {error}");
            Err(Trouble { why, passes: false, after: None })
        })
    }

    /// The next spans to be sent: a whole batch, or those of a while; none once the host stops and
    /// all were.
    async fn gather(&mut self, queue: &mut mpsc::Receiver<Span>) -> Vec<Span> {
        let mut batch = Vec::new();
        let most = self.settings.batch_max;
        tokio::select! {
            first = queue.recv() => match first {
                Some(first) => batch.push(first),
                None => return batch,
            },
            () = stopped(&mut self.stops) => {}
        }
        let until = Instant::now() + self.settings.spans_every;
        while batch.len() < most && !*self.stops.borrow() {
            let room = most - batch.len();
            let more = queue.recv_many(&mut batch, room);
            let more = async {
                tokio::select! {
                    taken = more => taken > 0,
                    () = stopped(&mut self.stops) => false,
                }
            };
            if !timeout_at(until, more).await.unwrap_or(false) {
                break;
            }
        }
        while batch.len() < most
            && let Ok(span) = queue.try_recv()
        {
            batch.push(span);
        }
        batch
    }

    /// Sends spans, again and again for a while; true once they were received.
    async fn deliver(&mut self, client: Result<&Client, &Trouble>, batch: &[Span]) -> bool {
        let mut pause = FIRST_PAUSE;
        for _ in 0..TRIES {
            let bytes = otlp::traces(&self.settings.resource, batch);
            let message = Message { bytes, items: batch.len() as u64 };
            let Err(trouble) = self.send(client, message).await else { return true };
            // Who stops does not wait for one that is down.
            if !trouble.passes || *self.stops.borrow() {
                return false;
            }
            let wait = trouble.after.unwrap_or_else(|| pause.mul_f64(0.5 + fastrand::f64()));
            tokio::select! {
                () = sleep(wait.min(PAUSE_MAX)) => {}
                () = stopped(&mut self.stops) => {}
            }
            pause *= 2;
        }
        false
    }

    async fn send(
        &self,
        client: Result<&Client, &Trouble>,
        Message { bytes, items }: Message,
    ) -> Result<(), Trouble> {
        let sent = match client {
            Ok(client) => sender::send(client, &self.outlet.receiver, bytes).await,
            Err(trouble) => Err(trouble.clone()),
        };
        match sent {
            Ok(rejected) => self.outlet.reached(items, rejected),
            Err(trouble) => {
                self.outlet.failed(&trouble);
                return Err(trouble);
            }
        }
        Ok(())
    }
}

/// Waits until the host stops.
async fn stopped(stops: &mut watch::Receiver<bool>) {
    // An error says that whoever tells is gone.
    let _ = stops.wait_for(|stops| *stops).await;
}
