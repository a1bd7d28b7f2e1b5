//! All of it, as the host holds it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use trellis_core::{Span, Tracer};
use trellis_limits::fixed::TELEMETRY_FLUSH;

use crate::exemplars::Exemplars;
use crate::outlet::{Counters, Outlet};
use crate::settings::Settings;
use crate::tracer::QueueingTracer;
use crate::work::{Page, Way, metrics, spans};

/// The telemetry of a host, which may be none. Cheap to clone.
#[derive(Clone, Default)]
pub struct Telemetry(Arc<Parts>);

#[derive(Default)]
struct Parts {
    /// What is wrong with its settings; then there is none.
    problems: Vec<String>,
    /// What may be meant otherwise than it is understood.
    remarks: Vec<String>,
    tracer: Option<Arc<QueueingTracer>>,
    exemplars: Arc<Exemplars>,
    outlets: Vec<Arc<Outlet>>,
    counters: Counters,
    /// Until it is started.
    unstarted: Mutex<Option<Unstarted>>,
}

struct Unstarted {
    settings: Settings,
    queue: mpsc::Receiver<Span>,
}

/// The tasks that send.
pub struct Running {
    tasks: JoinSet<()>,
    stops: watch::Sender<bool>,
}

impl Telemetry {
    /// What these settings say: none, or that there is none because they are wrong. Nothing is sent
    /// before [`start`](Self::start).
    #[must_use]
    pub fn of(settings: Result<Option<Settings>, Vec<String>>) -> Self {
        let parts = match settings {
            Ok(None) => Parts::default(),
            Ok(Some(settings)) => Parts::of(settings),
            Err(problems) => Parts { problems, ..Parts::default() },
        };
        Self(Arc::new(parts))
    }

    /// Who is told of spans, if they go anywhere.
    #[must_use]
    pub fn tracer(&self) -> Option<Arc<dyn Tracer>> {
        let tracer = self.0.tracer.as_ref()?;
        Some(Arc::<QueueingTracer>::clone(tracer))
    }

    /// Adds what it counts of itself, if it is on.
    pub fn register(&self, registry: &mut Registry) {
        if !self.0.outlets.is_empty() {
            self.0.counters.register(registry);
        }
    }

    /// What is worth to know of it and no failure of the host: what does not reach its receiver,
    /// and settings that are wrong.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let wrong = self.0.problems.iter().map(|it| format!("there is no telemetry: {it}"));
        let remarks = self.0.remarks.iter().cloned();
        let notes = self.0.outlets.iter().filter_map(|outlet| outlet.note());
        wrong.chain(remarks).chain(notes).collect()
    }

    /// The metrics page with the traces that its times came from.
    #[must_use]
    pub fn with_exemplars(&self, page: String) -> String {
        self.0.exemplars.written_into(page)
    }

    /// Says where telemetry goes, and begins to send it: spans, and what `page` gives as the
    /// metrics page. `None` when there is none, or it was started. Needs a Tokio runtime.
    #[must_use]
    pub fn start(&self, page: Page) -> Option<Running> {
        for problem in &self.0.problems {
            tracing::warn!("there is no telemetry: {problem}");
        }
        for remark in &self.0.remarks {
            tracing::warn!("{remark}");
        }
        let Unstarted { settings, queue } = self.0.unstarted.lock().take()?;
        tracing::info!("telemetry: {}", settings.told());
        let (stops, stopped) = watch::channel(false);
        let (mut tasks, mut queue) = (JoinSet::new(), Some(queue));
        for outlet in &self.0.outlets {
            let (outlet, settings) = (Arc::clone(outlet), settings.clone());
            let is_traces = outlet.receiver.signal == "traces";
            let way = Way { outlet, settings, stops: stopped.clone() };
            match queue.take_if(|_| is_traces) {
                Some(queue) => {
                    let told = (self.0.counters.clone(), Arc::clone(&self.0.exemplars));
                    tasks.spawn(spans(way, queue, told))
                }
                None => tasks.spawn(metrics(way, Arc::clone(&page))),
            };
        }
        Some(Running { tasks, stops })
    }
}

impl Parts {
    fn of(settings: Settings) -> Self {
        let counters = Counters::default();
        let (sender, queue) = mpsc::channel(settings.spans_max);
        let tracer = settings.traces.as_ref().map(|_| {
            let (sampler, dropped) = (settings.sampler, counters.dropped.clone());
            Arc::new(QueueingTracer { sampler, queue: sender, dropped })
        });
        let receivers = settings.traces.iter().chain(&settings.metrics).cloned();
        let outlets = receivers.map(|it| Arc::new(Outlet::new(it, &counters))).collect();
        let (problems, remarks) = (Vec::new(), settings.remarks.clone());
        let unstarted = Mutex::new(Some(Unstarted { settings, queue }));
        let exemplars = Arc::default();
        Self { problems, remarks, tracer, exemplars, outlets, counters, unstarted }
    }
}

impl Running {
    /// Sends what waits, for a bounded time: for the end of the host.
    pub async fn finish(mut self) {
        // An error means that all tasks ended.
        let _ = self.stops.send(true);
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        let bound = Duration::from_millis(TELEMETRY_FLUSH.default);
        if timeout(bound, ended).await.is_err() {
            let (most, name) = (TELEMETRY_FLUSH.default, TELEMETRY_FLUSH.name);
            tracing::warn!("the last telemetry was not received within {most} ms ({name})");
        }
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("outlets", &self.0.outlets).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc as channels;

    use trellis_core::{SpanKind, Trace};

    use super::*;
    use crate::settings::Written;

    /// However long that takes: exemplars are told of aside.
    #[test]
    fn a_recorded_call_waits_for_nobody_who_reads_the_page() {
        let endpoint = Some("http://127.0.0.1:9".to_owned());
        let written = Written { endpoint, ..Written::default() };
        let telemetry = Telemetry::of(Settings::read(&|_| None, &written));
        let tracer = telemetry.tracer().expect("it is on");
        let (told, tells) = channels::sync_channel(1);
        let goes_on = telemetry.0.exemplars.while_read(|| {
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    let mut span = Span::begin(Trace::default(), (SpanKind::Client, 5), 1);
                    span.say("trellis.target", "a");
                    tracer.record(span);
                    told.send(()).expect("it is waited for");
                });
                tells.recv_timeout(Duration::from_secs(30)).is_ok()
            })
        });
        assert!(goes_on);
    }
}
