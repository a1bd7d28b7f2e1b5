//! The metrics page.

use super::common::{Resource, attribute, resource, scope};
use super::writer::Writer;
use crate::page::{Example, Family, Kind, Labels, Point};

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const CUMULATIVE: u64 = 2;

/// When counting began, and when it is told, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) begun_unix_ns: u64,
    pub(crate) now_unix_ns: u64,
}

/// An `ExportMetricsServiceRequest`.
pub(crate) fn metrics(who: &Resource, families: &[Family<'_>], moment: Moment) -> Vec<u8> {
    Writer::of(|message| {
        message.message(1, |message| {
            resource(message, who);
            message.message(2, |message| {
                scope(message);
                for family in families {
                    message.message(2, |message| metric(message, family, moment));
                }
            });
        });
    })
}

fn metric(message: &mut Writer, family: &Family<'_>, moment: Moment) {
    message.text(1, family.name);
    message.text(2, family.help);
    message.text(3, unit(family.unit));
    match family.kind {
        Kind::Gauge => message.message(5, |message| numbers(message, family, moment)),
        Kind::Counter => message.message(7, |message| {
            numbers(message, family, moment);
            message.varint(2, CUMULATIVE);
            message.varint(3, 1);
        }),
        Kind::Histogram => message.message(9, |message| {
            for point in &family.points {
                message.message(1, |message| histogram(message, point, moment));
            }
            message.varint(2, CUMULATIVE);
        }),
    }
}

fn numbers(message: &mut Writer, family: &Family<'_>, moment: Moment) {
    let counts = family.kind == Kind::Counter;
    for point in &family.points {
        message.message(1, |message| {
            labels(message, 7, &point.labels);
            message.fixed64(2, if counts { moment.begun_unix_ns } else { 0 });
            message.fixed64(3, moment.now_unix_ns);
            message.double(4, point.value);
        });
    }
}

fn histogram(message: &mut Writer, point: &Point, moment: Moment) {
    labels(message, 9, &point.labels);
    message.fixed64(2, moment.begun_unix_ns);
    message.fixed64(3, moment.now_unix_ns);
    message.fixed64(4, point.buckets.last().map_or(0, |(_, count)| *count));
    message.double(5, point.value);
    // The page counts all up to a bound, OTLP those between two.
    let mut below = 0;
    let counts = point.buckets.iter().map(|(_, upto)| {
        let count = upto.saturating_sub(below);
        below = *upto;
        count.to_le_bytes()
    });
    message.packed(6, counts);
    let finite = point.buckets.iter().map(|(most, _)| most).filter(|most| most.is_finite());
    message.packed(7, finite.map(|most| most.to_le_bytes()));
    for it in &point.exemplars {
        message.message(8, |message| exemplar(message, it));
    }
}

fn exemplar(message: &mut Writer, example: &Example) {
    message.fixed64(2, example.at_unix_ns);
    message.double(3, example.value);
    for (name, value) in &example.labels {
        match &**name {
            "span_id" => message.bytes(4, &of_hex(value)),
            "trace_id" => message.bytes(5, &of_hex(value)),
            _ => attribute(message, 7, name, |it| it.bytes(1, value.as_bytes())),
        }
    }
}

fn labels(message: &mut Writer, field: u32, labels: &Labels) {
    for (name, value) in labels {
        attribute(message, field, name, |it| it.bytes(1, value.as_bytes()));
    }
}

/// Units by the Unified Code for Units of Measure, as the conventions ask for.
fn unit(unit: &str) -> &str {
    match unit {
        "seconds" => "s",
        "bytes" => "By",
        "ratio" => "1",
        other => other,
    }
}

/// The bytes of an id; none of what is no id.
fn of_hex(text: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map_while(byte).collect()
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use opentelemetry_proto::tonic::metrics::v1::metric::Data;
    use opentelemetry_proto::tonic::metrics::v1::{exemplar, number_data_point};
    use prost::Message as _;

    use super::*;
    use crate::page::families;

    const PAGE: &str = "\
# HELP trellis_calls Calls.
# TYPE trellis_calls counter
trellis_calls_total{target=\"a\"} 3
# TYPE trellis_depth gauge
trellis_depth 0
# HELP trellis_time_seconds Time.
# TYPE trellis_time_seconds histogram
# UNIT trellis_time_seconds seconds
trellis_time_seconds_sum{target=\"a\"} 1.5
trellis_time_seconds_count{target=\"a\"} 3
trellis_time_seconds_bucket{le=\"0.5\",target=\"a\"} 1
trellis_time_seconds_bucket{le=\"1.5\",target=\"a\"} 3 # {trace_id=\"0102\",span_id=\"03\"} 1.25 7.5
trellis_time_seconds_bucket{le=\"+Inf\",target=\"a\"} 3
# EOF
";

    #[test]
    fn a_receiver_reads_the_page() {
        let moment = Moment { begun_unix_ns: 5, now_unix_ns: 6 };
        let bytes = metrics(&Resource::new(), &families(PAGE), moment);
        let read = ExportMetricsServiceRequest::decode(&*bytes).expect("a message");
        let [calls, depth, time] = &read.resource_metrics[0].scope_metrics[0].metrics[..] else {
            panic!("{read:?}")
        };
        assert_eq!((&*calls.name, &*calls.description), ("trellis_calls", "Calls."));
        let Some(Data::Sum(sum)) = &calls.data else { panic!("{calls:?}") };
        assert_eq!((sum.aggregation_temporality, sum.is_monotonic), (2, true));
        let [point] = &sum.data_points[..] else { panic!("{sum:?}") };
        assert_eq!(point.value, Some(number_data_point::Value::AsDouble(3.0)));
        assert_eq!((point.start_time_unix_nano, point.time_unix_nano), (5, 6));
        assert_eq!(point.attributes[0].key, "target");
        let Some(Data::Gauge(gauge)) = &depth.data else { panic!("{depth:?}") };
        assert_eq!(gauge.data_points[0].value, Some(number_data_point::Value::AsDouble(0.0)));
        assert_eq!((&*time.name, &*time.unit), ("trellis_time_seconds", "s"));
        let Some(Data::Histogram(histogram)) = &time.data else { panic!("{time:?}") };
        assert_eq!(histogram.aggregation_temporality, 2);
        let [point] = &histogram.data_points[..] else { panic!("{histogram:?}") };
        assert_eq!((point.count, point.sum), (3, Some(1.5)));
        assert_eq!(point.bucket_counts, [1, 2, 0]);
        assert_eq!(point.explicit_bounds, [0.5, 1.5]);
        let [example] = &point.exemplars[..] else { panic!("{point:?}") };
        assert_eq!((&*example.trace_id, &*example.span_id), (&[1, 2][..], &[3][..]));
        assert_eq!(example.value, Some(exemplar::Value::AsDouble(1.25)));
        assert_eq!(example.time_unix_nano, 7_500_000_000);
    }
}
