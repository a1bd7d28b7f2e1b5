//! What the providers measured, in the words of the metrics page.

use std::collections::BTreeMap;
use std::fmt::Error;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use trellis_providers_sdk::{Sample, SampleValue};

/// The samples of every provider, each family once however many providers have it.
#[derive(Debug)]
pub(crate) struct Samples(BTreeMap<String, Vec<Labeled>>);

/// A sample with all its labels.
#[derive(Debug)]
struct Labeled {
    labels: Vec<(String, String)>,
    sample: Sample,
}

impl Samples {
    /// The samples of these providers, each with the provider's name.
    pub(crate) fn of(providers: impl IntoIterator<Item = (Arc<str>, Vec<Sample>)>) -> Self {
        let mut families: BTreeMap<String, Vec<Labeled>> = BTreeMap::new();
        for (provider, samples) in providers {
            for sample in samples {
                let own =
                    sample.labels.iter().map(|(key, text)| (key.to_string(), text.to_string()));
                let labels = std::iter::once(("provider".to_owned(), provider.to_string()));
                let labels = labels.chain(own).collect();
                let family = families.entry(sample.name.to_string()).or_default();
                // One name is one kind: a provider that breaks this loses its sample, not the page.
                if family.first().is_none_or(|first| same_kind(&first.sample, &sample)) {
                    family.push(Labeled { labels, sample });
                }
            }
        }
        Self(families)
    }

    /// A registry of these samples, to be encoded as any other.
    pub(crate) fn into_registry(self) -> Registry {
        let mut registry = Registry::with_prefix("trellis");
        registry.register_collector(Box::new(self));
        registry
    }
}

impl Collector for Samples {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        for (name, family) in &self.0 {
            let Some(Labeled { sample, .. }) = family.first() else { continue };
            let unit = sample.unit.as_ref().map(|unit| Unit::Other(unit.to_string()));
            let kind = kind(&sample.value);
            let mut family_encoder =
                encoder.encode_descriptor(name, &sample.help, unit.as_ref(), kind)?;
            for labeled in family {
                let encoder = family_encoder.encode_family(&labeled.labels)?;
                encode(&labeled.sample.value, encoder)?;
            }
        }
        Ok(())
    }
}

fn encode(value: &SampleValue, mut encoder: MetricEncoder<'_>) -> Result<(), Error> {
    match value {
        SampleValue::Counter(count) => encoder.encode_counter::<NoLabelSet, _, u64>(count, None),
        SampleValue::Gauge(value) => encoder.encode_gauge(value),
        SampleValue::Histogram { buckets, sum } => {
            let bound = |bound: Option<f64>| bound.unwrap_or(f64::INFINITY);
            let buckets: Vec<_> =
                buckets.iter().map(|(most, count)| (bound(*most), *count)).collect();
            let count = buckets.iter().map(|(_, count)| count).sum();
            encoder.encode_histogram::<NoLabelSet>(*sum, count, &buckets, None)
        }
    }
}

fn same_kind(one: &Sample, other: &Sample) -> bool {
    kind(&one.value).as_str() == kind(&other.value).as_str() && one.unit == other.unit
}

const fn kind(value: &SampleValue) -> MetricType {
    match value {
        SampleValue::Counter(_) => MetricType::Counter,
        SampleValue::Gauge(_) => MetricType::Gauge,
        SampleValue::Histogram { .. } => MetricType::Histogram,
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode_registry;

    use super::*;

    #[test]
    fn providers_share_a_family_and_keep_their_names() {
        let samples = |count| {
            vec![
                Sample::counter("things", "Things", count).label("kind", "a"),
                Sample::gauge("level", "Level", -3).unit("bytes"),
                Sample::histogram("time", "Time", [(0.5, 1), (f64::INFINITY, 2)], 9.25)
                    .unit("seconds"),
            ]
        };
        let odd = vec![Sample::gauge("things", "Things", 1)];
        let all = Samples::of([
            (Arc::from("one"), samples(7)),
            (Arc::from("two"), samples(8)),
            (Arc::from("odd"), odd),
        ]);
        let mut text = String::new();
        encode_registry(&mut text, &all.into_registry()).expect("a string takes it");
        for line in [
            "trellis_things_total{provider=\"one\",kind=\"a\"} 7",
            "trellis_things_total{provider=\"two\",kind=\"a\"} 8",
            "trellis_level_bytes{provider=\"one\"} -3",
            "trellis_time_seconds_sum{provider=\"one\"} 9.25",
            "trellis_time_seconds_count{provider=\"two\"} 3",
            "trellis_time_seconds_bucket{le=\"0.5\",provider=\"one\"} 1",
            "trellis_time_seconds_bucket{le=\"+Inf\",provider=\"one\"} 3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} not in\n{text}");
        }
        let types = text.lines().filter(|line| line.starts_with("# TYPE trellis_things ")).count();
        assert_eq!(types, 1, "a family is described once:\n{text}");
        assert!(!text.contains("provider=\"odd\""), "{text}");
    }
}
