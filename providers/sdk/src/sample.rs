//! What a provider measured, as data: the host asks for it, names whose it is, and writes it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// One measured value. Samples of one name must agree in kind, unit and help.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// The name, without the host's prefix, the unit and `_total`.
    pub name: Cow<'static, str>,
    /// One sentence for people, without a full stop.
    pub help: Cow<'static, str>,
    /// The unit (`bytes`, `seconds`), which is written behind the name.
    #[serde(default)]
    pub unit: Option<Cow<'static, str>>,
    /// What tells it from the other samples of its name.
    #[serde(default)]
    pub labels: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    /// The value, and so the kind.
    pub value: SampleValue,
}

/// A value by its kind.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleValue {
    /// What only ever grows.
    Counter(u64),
    /// What goes up and down.
    Gauge(i64),
    /// How often a measurement fell where.
    Histogram {
        /// Upper bound of each bucket and how many fell into it alone; the last bound is infinity,
        /// which is written as `null` where a format has none.
        buckets: Vec<(Option<f64>, u64)>,
        /// Sum of all measurements.
        sum: f64,
    },
}

impl Sample {
    /// What only ever grows.
    pub fn counter(name: &'static str, help: &'static str, count: u64) -> Self {
        Self::new(name, help, SampleValue::Counter(count))
    }

    /// What goes up and down.
    pub fn gauge(name: &'static str, help: &'static str, value: i64) -> Self {
        Self::new(name, help, SampleValue::Gauge(value))
    }

    /// How often a measurement fell where: upper bounds, each with how many fell into it alone.
    pub fn histogram(
        name: &'static str,
        help: &'static str,
        buckets: impl IntoIterator<Item = (f64, u64)>,
        sum: f64,
    ) -> Self {
        let finite = |bound: f64| bound.is_finite().then_some(bound);
        let buckets = buckets.into_iter().map(|(bound, count)| (finite(bound), count)).collect();
        Self::new(name, help, SampleValue::Histogram { buckets, sum })
    }

    /// The same with its unit.
    #[must_use]
    pub fn unit(mut self, unit: &'static str) -> Self {
        self.unit = Some(Cow::Borrowed(unit));
        self
    }

    /// The same with one more label.
    #[must_use]
    pub fn label(mut self, key: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        self.labels.push((Cow::Borrowed(key), text.into()));
        self
    }

    fn new(name: &'static str, help: &'static str, value: SampleValue) -> Self {
        let (name, help) = (Cow::Borrowed(name), Cow::Borrowed(help));
        Self { name, help, unit: None, labels: Vec::new(), value }
    }
}

/// As a line of the metrics page, without the host's prefix; of a histogram its count alone.
impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(unit) = &self.unit {
            write!(f, "_{unit}")?;
        }
        f.write_str(match self.value {
            SampleValue::Counter(_) => "_total",
            SampleValue::Gauge(_) => "",
            SampleValue::Histogram { .. } => "_count",
        })?;
        for (index, (key, text)) in self.labels.iter().enumerate() {
            write!(f, "{}{key}={text:?}", if index == 0 { '{' } else { ',' })?;
        }
        if !self.labels.is_empty() {
            f.write_str("}")?;
        }
        match &self.value {
            SampleValue::Counter(count) => write!(f, " {count}"),
            SampleValue::Gauge(value) => write!(f, " {value}"),
            SampleValue::Histogram { buckets, .. } => {
                write!(f, " {}", buckets.iter().map(|(_, count)| count).sum::<u64>())
            }
        }
    }
}

/// A count that many threads add to. Cheap to clone; the clones are one count.
#[derive(Clone, Default, Debug)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `number`.
    #[inline]
    pub fn add(&self, number: u64) {
        // Relaxed: a statistic, and nothing is read on the strength of it.
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    /// The count.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that many threads raise and lower. Cheap to clone; the clones are one number.
#[derive(Clone, Default, Debug)]
pub struct Gauge(Arc<AtomicI64>);

impl Gauge {
    /// Adds `number`, which may be negative.
    #[inline]
    pub fn add(&self, number: i64) {
        // Relaxed: a statistic, as in `Counter`.
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    /// Replaces the number.
    #[inline]
    pub fn set(&self, number: i64) {
        self.0.store(number, Ordering::Relaxed);
    }

    /// The number.
    #[must_use]
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_survive_json_and_messagepack() {
        let samples = [
            Sample::counter("things", "Things", 7).label("kind", "a".to_owned()),
            Sample::gauge("level", "Level", -3).unit("bytes"),
            Sample::histogram("time", "Time", [(0.5, 1), (f64::INFINITY, 2)], 9.25),
        ];
        let json = serde_json::to_string(&samples).expect("they are data");
        assert_eq!(serde_json::from_str::<Vec<Sample>>(&json).expect("they read back"), samples);
        let packed = rmp_serde::to_vec_named(&samples).expect("they are data");
        assert_eq!(rmp_serde::from_slice::<Vec<Sample>>(&packed).expect("they read"), samples);
    }

    #[test]
    fn a_sample_reads_like_a_line_of_the_page() {
        let counter = Sample::counter("things", "", 7).label("kind", "a").label("of", "b");
        assert_eq!(counter.to_string(), "things_total{kind=\"a\",of=\"b\"} 7");
        let gauge = Sample::gauge("level", "", -3).unit("bytes");
        assert_eq!(gauge.to_string(), "level_bytes -3");
        let histogram = Sample::histogram("time", "", [(0.5, 1), (f64::INFINITY, 2)], 9.25);
        assert_eq!(histogram.to_string(), "time_count 3");
    }

    #[test]
    fn clones_count_together() {
        let (counter, gauge) = (Counter::default(), Gauge::default());
        counter.clone().inc();
        counter.add(2);
        gauge.clone().add(-2);
        assert_eq!((counter.get(), gauge.get()), (3, -2));
        gauge.set(5);
        assert_eq!(gauge.get(), 5);
    }
}
