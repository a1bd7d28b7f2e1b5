//! The metrics page, read back: OTLP and `/metrics` tell of the same meters because one is made of
//! the other.

/// One sample, in its parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Line<'a> {
    pub(crate) name: &'a str,
    /// What stands between the braces.
    pub(crate) labels: &'a str,
    pub(crate) value: &'a str,
    /// What stands after the `#`.
    pub(crate) exemplar: &'a str,
}

/// What a metric is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// It counts values by their size.
    Histogram,
}

/// A metric with all its series.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Family<'a> {
    pub(crate) name: &'a str,
    pub(crate) help: &'a str,
    pub(crate) unit: &'a str,
    pub(crate) kind: Kind,
    pub(crate) points: Vec<Point>,
}

/// A series, at the moment of the page.
#[derive(Clone, PartialEq, Default, Debug)]
pub(crate) struct Point {
    pub(crate) labels: Labels,
    /// Of a histogram: the sum.
    pub(crate) value: f64,
    /// Of a histogram: upper bounds, each with how many are not above it.
    pub(crate) buckets: Vec<(f64, u64)>,
    pub(crate) exemplars: Vec<Example>,
}

/// A value of a histogram, with the trace it came from.
#[derive(Clone, PartialEq, Default, Debug)]
pub(crate) struct Example {
    pub(crate) labels: Labels,
    pub(crate) value: f64,
    /// In nanoseconds since 1970.
    pub(crate) at_unix_ns: u64,
}

pub(crate) type Labels = Vec<(String, String)>;

impl<'a> Line<'a> {
    /// The parts of a line; `None` for one that is no sample.
    pub(crate) fn read(line: &'a str) -> Option<Self> {
        if line.starts_with('#') {
            return None;
        }
        let at = line.find(['{', ' '])?;
        let (name, rest) = line.split_at(at);
        let (labels, rest) = braced(rest).unwrap_or(("", rest));
        let rest = rest.trim_start();
        let (value, exemplar) = rest.split_once(" # ").unwrap_or((rest, ""));
        Some(Self { name, labels, value: value.trim_end(), exemplar })
    }
}

/// What stands between the braces at the start of a text, and what comes after them.
fn braced(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('{')?;
    let (mut quoted, mut escaped) = (false, false);
    let end = inside.char_indices().find_map(|(at, character)| {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '}' if !quoted => return Some(at),
            _ => {}
        }
        None
    })?;
    Some((&inside[..end], &inside[end + 1..]))
}

/// The labels between two braces; `None` when they are none.
pub(crate) fn of_labels(mut text: &str) -> Option<Labels> {
    let mut labels = Labels::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"")?;
        let mut value = String::new();
        let mut characters = rest.char_indices();
        let end = loop {
            match characters.next()? {
                (at, '"') => break at,
                (_, '\\') => value.push(match characters.next()?.1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, other) => value.push(other),
            }
        };
        labels.push((name.to_owned(), value));
        let rest = &rest[end + 1..];
        text = rest.strip_prefix(',').unwrap_or(rest);
    }
    Some(labels)
}

/// A number as the page writes it.
pub(crate) fn bound(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        number => number.parse().ok(),
    }
}

/// The metrics of a page. What cannot be read is left out: it is one of ours, so there is none.
pub(crate) fn families(page: &str) -> Vec<Family<'_>> {
    let mut families: Vec<Family<'_>> = Vec::new();
    let mut help = ("", "");
    for line in page.lines() {
        if let Some(text) = line.strip_prefix("# HELP ") {
            help = text.split_once(' ').unwrap_or_default();
        } else if let Some(text) = line.strip_prefix("# TYPE ") {
            families.extend(declared(text, help));
        } else if let (Some(text), Some(family)) =
            (line.strip_prefix("# UNIT "), families.last_mut())
        {
            family.unit = text.split_once(' ').map_or("", |(_, unit)| unit);
        } else if let (Some(line), Some(family)) = (Line::read(line), families.last_mut()) {
            family.take(&line);
        }
    }
    families.retain(|family| !family.points.is_empty());
    families
}

fn declared<'a>(text: &'a str, (named, help): (&str, &'a str)) -> Option<Family<'a>> {
    let (name, kind) = text.split_once(' ')?;
    let kind = match kind {
        "counter" => Kind::Counter,
        "gauge" => Kind::Gauge,
        "histogram" => Kind::Histogram,
        _ => return None,
    };
    let help = if named == name { help } else { "" };
    Some(Family { name, help, unit: "", kind, points: Vec::new() })
}

impl Family<'_> {
    fn take(&mut self, line: &Line<'_>) -> Option<()> {
        let suffix = line.name.strip_prefix(self.name)?;
        let value: f64 = line.value.parse().ok()?;
        let mut labels = of_labels(line.labels)?;
        match (self.kind, suffix) {
            (Kind::Counter, "_total") | (Kind::Gauge, "") => {
                self.points.push(Point { labels, value, ..Point::default() });
            }
            (Kind::Histogram, "_sum") => self.point(labels).value = value,
            (Kind::Histogram, "_bucket") => {
                let at = labels.iter().position(|(name, _)| name == "le")?;
                let most = bound(&labels.remove(at).1)?;
                let count = line.value.parse().ok()?;
                let example = example(line.exemplar);
                let point = self.point(labels);
                point.buckets.push((most, count));
                point.exemplars.extend(example);
            }
            // The count is that of the last bucket.
            _ => {}
        }
        Some(())
    }

    /// The series with these labels: the lines of one stand together.
    fn point(&mut self, labels: Labels) -> &mut Point {
        if self.points.last().is_none_or(|last| last.labels != labels) {
            self.points.push(Point { labels, ..Point::default() });
        }
        self.points.last_mut().expect("one was pushed")
    }
}

fn example(text: &str) -> Option<Example> {
    let (labels, rest) = braced(text)?;
    let mut numbers = rest.split_whitespace();
    let value = numbers.next()?.parse().ok()?;
    let at_unix_ns = nanoseconds(numbers.next().unwrap_or("0"))?;
    Some(Example { labels: of_labels(labels)?, value, at_unix_ns })
}

/// Seconds with a fraction, in nanoseconds; a floating-point number would lose some.
fn nanoseconds(text: &str) -> Option<u64> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let fraction = format!("{fraction:0<9}");
    let fraction: u64 = fraction.get(..9)?.parse().ok()?;
    seconds.parse::<u64>().ok()?.checked_mul(1_000_000_000)?.checked_add(fraction)
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::exemplar::HistogramWithExemplars;
    use prometheus_client::metrics::family::Family as Metrics;
    use prometheus_client::metrics::gauge::Gauge;
    use prometheus_client::registry::{Registry, Unit};

    use super::*;

    type Label = Vec<(String, String)>;

    fn label(name: &str, value: &str) -> Label {
        vec![(name.to_owned(), value.to_owned())]
    }

    /// A page as the host writes it.
    fn page() -> String {
        let mut registry = Registry::with_prefix("trellis");
        let calls = Metrics::<Label, Counter>::default();
        calls.get_or_create(&label("target", "a\"}\\\n{, b")).inc_by(3);
        registry.register("calls", "Calls, all", calls);
        let gauge: Gauge = Gauge::default();
        gauge.set(-2);
        registry.register("depth", "How deep", gauge);
        let times = HistogramWithExemplars::<Label>::new([0.5, 1.5].into_iter());
        times.observe(0.25, None, None);
        times.observe(1.0, Some(label("trace_id", "ab")), None);
        times.observe(9.0, None, None);
        registry.register_with_unit("time", "How long", Unit::Seconds, times);
        let mut text = String::new();
        encode(&mut text, &registry).expect("a string takes it");
        text
    }

    #[test]
    fn a_page_is_read_as_it_was_meant() {
        let page = page();
        let families = families(&page);
        let [calls, depth, time] = &families[..] else { panic!("{families:?}") };
        assert_eq!((calls.name, calls.kind), ("trellis_calls", Kind::Counter));
        assert_eq!(calls.help, "Calls, all.");
        let labels = label("target", "a\"}\\\n{, b");
        assert_eq!(calls.points, [Point { labels, value: 3.0, ..Point::default() }]);
        assert_eq!((depth.kind, depth.points[0].value), (Kind::Gauge, -2.0));
        assert_eq!((time.name, time.unit), ("trellis_time_seconds", "seconds"));
        let [point] = &time.points[..] else { panic!("{time:?}") };
        assert_eq!(point.value, 10.25);
        assert_eq!(point.buckets, [(0.5, 1), (1.5, 2), (f64::INFINITY, 3)]);
        let labels = label("trace_id", "ab");
        assert_eq!(point.exemplars, [Example { labels, value: 1.0, at_unix_ns: 0 }]);
    }

    #[test]
    fn the_moment_of_an_exemplar_loses_nothing() {
        let text = "{trace_id=\"a\"} 0.5 1700000000.123456789";
        assert_eq!(example(text).map(|it| it.at_unix_ns), Some(1_700_000_000_123_456_789));
        assert_eq!(nanoseconds("5"), Some(5_000_000_000));
        assert_eq!(nanoseconds("99999999999999999999"), None);
        assert_eq!(nanoseconds("1.x"), None);
    }

    #[test]
    fn what_is_no_sample_is_left_out() {
        for line in
            ["", "# EOF", "name", "name{", "name{a=\"b} 1", "name{a=b} 1", "# TYPE a summary"]
        {
            let page = format!("# TYPE name gauge\n{line}\n");
            assert_eq!(families(&page), [], "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_page_is_too_strange(page in "(?s).{0,200}", line in "[a{}=\" #\\\\,.0-9]{0,60}") {
            families(&page);
            families(&format!("# TYPE a histogram\n{line}"));
        }
    }
}
