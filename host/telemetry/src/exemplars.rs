//! Which recorded trace a time in a histogram came from.

use std::collections::HashMap;
use std::fmt::Write as _;

use parking_lot::Mutex;
use trellis_core::{Span, SpanValue, Trace};

use crate::page::{Line, bound, of_labels};

/// A histogram of the metrics page that they stand in.
struct Histogram {
    /// The name of its buckets.
    bucket: &'static str,
    /// Its label.
    label: &'static str,
    /// The attribute with that label's value, of the spans that are counted there and no others.
    attribute: &'static str,
}

const HISTOGRAMS: [Histogram; 2] = [
    Histogram {
        bucket: "trellis_call_duration_seconds_bucket",
        label: "target",
        attribute: "trellis.target",
    },
    Histogram {
        bucket: "trellis_http_request_duration_seconds_bucket",
        label: "provider",
        attribute: "trellis.provider",
    },
];
/// Most values of a histogram's label that have any; those that come first.
const VALUES_MAX: usize = 200;

/// The last recorded span of each value of each histogram's label, for each magnitude of its time.
/// They are told by who sends spans, aside: no call knows of them, and none waits for who reads
/// them.
#[derive(Default, Debug)]
pub(crate) struct Exemplars(Mutex<[HashMap<String, Magnitudes>; HISTOGRAMS.len()]>);

/// By the number of binary digits of a time in nanoseconds.
type Magnitudes = [Option<Exemplar>; 65];

#[derive(Clone, Copy, Debug)]
struct Exemplar {
    trace: Trace,
    nanos: u64,
    at_unix_ns: u64,
}

impl Exemplars {
    /// A recorded span ended.
    pub(crate) fn note(&self, span: &Span) {
        let nanos = u64::try_from(span.took.as_nanos()).unwrap_or(u64::MAX);
        let at_unix_ns = span.start_unix_ns.saturating_add(nanos);
        let magnitude = (u64::BITS - nanos.leading_zeros()) as usize;
        let exemplar = Some(Exemplar { trace: span.trace, nanos, at_unix_ns });
        for (place, histogram) in HISTOGRAMS.iter().enumerate() {
            let Some(SpanValue::Text(value)) = span.said(histogram.attribute) else { continue };
            let mut kept = self.0.lock();
            let values = &mut kept[place];
            if let Some(magnitudes) = values.get_mut(value) {
                magnitudes[magnitude] = exemplar;
            } else if values.len() < VALUES_MAX {
                values.entry(value.clone()).or_insert([None; 65])[magnitude] = exemplar;
            }
        }
    }

    /// Works while somebody reads them.
    #[cfg(test)]
    pub(crate) fn while_read<T>(&self, work: impl FnOnce() -> T) -> T {
        let _reading = self.0.lock();
        work()
    }

    /// The metrics page with them, in the form of OpenMetrics.
    pub(crate) fn written_into(&self, page: String) -> String {
        let count = self.0.lock().iter().map(HashMap::len).sum::<usize>();
        if count == 0 {
            return page;
        }
        let mut written = String::with_capacity(page.len() + 128 * count);
        let mut below = 0.0;
        for line in page.lines() {
            written.push_str(line);
            if let Some((place, value, most)) = bucket(line) {
                // Held for one line.
                let exemplar = self.0.lock()[place]
                    .get(&value)
                    .and_then(|it| within(it, below, most).copied());
                exemplar.iter().for_each(|it| it.write(&mut written));
                below = if most.is_finite() { most } else { 0.0 };
            }
            written.push('\n');
        }
        written
    }
}

impl Exemplar {
    fn seconds(&self) -> f64 {
        self.nanos as f64 / 1e9
    }

    fn write(&self, line: &mut String) {
        let (id, span, at) = (self.trace.trace_id(), self.trace.span_id(), self.at_unix_ns);
        let (at_s, at_ns) = (at / 1_000_000_000, at % 1_000_000_000);
        // Writing to a text cannot fail.
        let _ = write!(
            line,
            " # {{trace_id=\"{id:032x}\",span_id=\"{span:016x}\"}} {:?} {at_s}.{at_ns:09}",
            self.seconds(),
        );
    }
}

/// Which histogram a line is a bucket of, if any, the value of its label, and the upper bound in
/// seconds.
fn bucket(line: &str) -> Option<(usize, String, f64)> {
    let name = line.split(['{', ' ']).next()?;
    let place = HISTOGRAMS.iter().position(|it| it.bucket == name)?;
    let labels = of_labels(Line::read(line)?.labels)?;
    let value = |name: &str| labels.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    Some((place, value(HISTOGRAMS[place].label)?.clone(), bound(value("le")?)?))
}

/// The latest above one bound, up to the other.
fn within(magnitudes: &Magnitudes, below: f64, most: f64) -> Option<&Exemplar> {
    let fits = |it: &&Exemplar| it.seconds() > below && it.seconds() <= most;
    magnitudes.iter().flatten().filter(fits).max_by_key(|it| it.at_unix_ns)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use trellis_core::SpanKind;

    use super::*;

    fn span(target: &str, trace: u64, took: Duration) -> Span {
        let outer = Trace::new([1, trace], 0).with_sampled(true);
        let mut span = Span::begin(outer, (SpanKind::Client, 5), 1_700_000_000_000_000_000);
        span.took = took;
        span.say("trellis.target", target);
        span
    }

    const PAGE: &str = "\
# TYPE trellis_call_duration_seconds histogram
trellis_call_duration_seconds_bucket{le=\"0.001\",target=\"a\"} 1
trellis_call_duration_seconds_bucket{le=\"1.0\",target=\"a\"} 2
trellis_call_duration_seconds_bucket{le=\"+Inf\",target=\"a\"} 2
trellis_call_duration_seconds_bucket{le=\"0.001\",target=\"b\"} 1
trellis_other_seconds_bucket{le=\"0.001\",target=\"a\"} 1
# EOF
";

    #[test]
    fn a_bucket_names_the_last_trace_that_fell_into_it() {
        let exemplars = Exemplars::default();
        assert_eq!(exemplars.written_into(PAGE.to_owned()), PAGE);
        exemplars.note(&span("a", 1, Duration::from_micros(500)));
        exemplars.note(&span("a", 2, Duration::from_micros(501)));
        exemplars.note(&span("a", 3, Duration::from_secs(2)));
        let page = exemplars.written_into(PAGE.to_owned());
        let line = |start: &str| page.lines().find(|line| line.starts_with(start)).expect("a line");
        assert_eq!(
            line("trellis_call_duration_seconds_bucket{le=\"0.001\",target=\"a\"}"),
            "trellis_call_duration_seconds_bucket{le=\"0.001\",target=\"a\"} 1 # \
             {trace_id=\"00000000000000010000000000000002\",span_id=\"0000000000000005\"} \
             0.000501 1700000000.000501000"
        );
        assert!(!line("trellis_call_duration_seconds_bucket{le=\"1.0\"").contains('#'));
        assert!(line("trellis_call_duration_seconds_bucket{le=\"+Inf\"").contains(" 2.0 17000"));
        assert_eq!(page.matches("trace_id").count(), 2, "{page}");
    }

    #[test]
    fn a_request_is_an_exemplar_of_its_server_alone() {
        let exemplars = Exemplars::default();
        let mut request = span("", 7, Duration::from_micros(500));
        request.attributes.clear();
        request.say("trellis.provider", "web");
        exemplars.note(&request);
        let bucket = |metric: &str, label: &str| {
            format!("trellis_{metric}_seconds_bucket{{le=\"0.001\",{label}}} 1\n")
        };
        let web = bucket("http_request_duration", "provider=\"web\"");
        let others = [
            bucket("http_request_duration", "provider=\"other\""),
            bucket("call_duration", "target=\"web\""),
        ];
        let page = exemplars.written_into(format!("{web}{}", others.concat()));
        let lines: Vec<_> = page.lines().collect();
        assert!(lines[0].starts_with(web.trim()) && lines[0].contains("trace_id"), "{page}");
        assert_eq!(page.matches("trace_id").count(), 1, "{page}");
    }

    #[test]
    fn only_so_many_targets_have_any() {
        let exemplars = Exemplars::default();
        for number in 0..=VALUES_MAX {
            exemplars.note(&span(&number.to_string(), 1, Duration::from_micros(1)));
        }
        assert_eq!(exemplars.0.lock()[0].len(), VALUES_MAX);
    }
}
