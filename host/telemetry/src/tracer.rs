//! The tracer of the road: it keeps what it is told in a bounded queue, and never waits.

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::metrics::counter::Counter;
use tokio::sync::mpsc;
use trellis_core::{Span, SpanValue, Trace, Tracer};
use trellis_limits::fixed::TELEMETRY_TEXT;

use crate::sampler::Sampler;

/// Takes spans from whoever makes them.
pub(crate) struct QueueingTracer {
    pub(crate) sampler: Sampler,
    pub(crate) queue: mpsc::Sender<Span>,
    /// Spans that found no room.
    pub(crate) dropped: Counter,
}

impl Tracer for QueueingTracer {
    fn enter(&self, given: Trace) -> Trace {
        self.sampler.enter(given)
    }

    fn now_unix_ns(&self) -> u64 {
        now_unix_ns()
    }

    fn record(&self, mut span: Span) {
        shorten(&mut span);
        if self.queue.try_send(span).is_err() {
            self.dropped.inc();
        }
    }
}

/// Nanoseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "a span says when it began; nothing is decided by it"
)]
pub(crate) fn now_unix_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Cuts texts, which a client or a guest may have chosen, so that the queue takes a known room.
fn shorten(span: &mut Span) {
    cut(&mut span.name);
    span.failure.iter_mut().for_each(cut);
    for (_, value) in &mut span.attributes {
        if let SpanValue::Text(text) = value {
            cut(text);
        }
    }
}

fn cut(text: &mut String) {
    let most = usize::try_from(TELEMETRY_TEXT.default).unwrap_or(usize::MAX);
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracer(room: usize) -> (QueueingTracer, mpsc::Receiver<Span>) {
        let (queue, taken) = mpsc::channel(room);
        let dropped = Counter::default();
        let sampler = Sampler::default();
        (QueueingTracer { sampler, queue, dropped }, taken)
    }

    #[test]
    fn what_finds_no_room_is_dropped_and_counted() {
        let (tracer, mut taken) = tracer(2);
        for number in 1..=5 {
            tracer.record(Span { parent: number, ..Span::default() });
        }
        assert_eq!(tracer.dropped.get(), 3);
        let kept: Vec<u64> =
            std::iter::from_fn(|| taken.try_recv().ok()).map(|it| it.parent).collect();
        assert_eq!(kept, [1, 2]);
        tracer.record(Span::default());
        assert_eq!(tracer.dropped.get(), 3, "there is room again");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let (tracer, mut taken) = tracer(1);
        let long = format!("a{}", "é".repeat(2_000));
        let mut span = Span { name: long.clone(), failure: Some(long.clone()), ..Span::default() };
        span.say("url.path", long);
        tracer.record(span);
        let span = taken.try_recv().expect("it was kept");
        let most = TELEMETRY_TEXT.default as usize;
        let Some(SpanValue::Text(path)) = span.said("url.path") else { panic!("{span:?}") };
        for text in [&span.name, path, span.failure.as_ref().expect("it failed")] {
            assert_eq!(text.len(), most - 1, "the last character would be cut in two");
            assert!(text.capacity() <= most);
        }
    }
}
