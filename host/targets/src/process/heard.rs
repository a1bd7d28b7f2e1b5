//! What a process says of itself, made fit for logs, pages and callers: nothing is believed to be
//! short, to be one line, or to be a name.

use std::borrow::Cow;
use std::collections::BTreeSet;

use trellis_core::CallError;
use trellis_providers_sdk::process::Failure;
use trellis_providers_sdk::{
    BindingId, Health, Listening, Sample, SampleValue, ValueError, ValueProblem,
};

use crate::text::shown;

/// Longest text of an error, in bytes; that of a guest is as long.
const ERROR_BYTES_MAX: usize = 4 << 10;
/// Longest word about its health, in bytes.
const HEALTH_BYTES_MAX: usize = 1 << 10;
/// Most wrong values that one check may find.
const PROBLEMS_MAX: usize = 1_000;
/// Most addresses of one process.
const ADDRESSES_MAX: usize = 1_000;
/// Most samples of one process.
const SAMPLES_MAX: usize = 1_000;
/// Most labels of a sample, and most buckets.
const PARTS_MAX: usize = 64;
/// Longest name of a metric or a label, in bytes.
const NAME_BYTES_MAX: usize = 128;
/// Longest help or value of a label, in bytes.
const TEXT_BYTES_MAX: usize = 256;
/// What the names of its metrics begin with, so that none is one of the host's.
const PREFIX: &str = "program_";

/// What is said of what came, which may quote it.
pub(super) fn line(said: &str) -> String {
    shown(said, HEALTH_BYTES_MAX)
}

/// Why a call failed.
pub(super) fn error(failure: Failure) -> CallError {
    let message = shown(&failure.message, ERROR_BYTES_MAX);
    Failure { message, ..failure }.into()
}

pub(super) fn health(degraded: Option<String>) -> Health {
    degraded.map_or(Health::Healthy, |why| Health::Degraded(shown(&why, HEALTH_BYTES_MAX)))
}

/// Where it takes work from outside, for those of its bindings.
pub(super) fn addresses(
    addresses: Vec<Listening>,
    is_bound: impl Fn(BindingId) -> bool,
) -> Vec<Listening> {
    let own = addresses.into_iter().filter(|it| is_bound(it.binding)).take(ADDRESSES_MAX);
    own.map(|it| Listening { url: shown(&it.url, TEXT_BYTES_MAX), ..it }).collect()
}

/// What is wrong with values.
pub(super) fn problems(problems: Vec<ValueProblem>) -> Vec<ValueProblem> {
    let short = |it: &str| shown(it, ERROR_BYTES_MAX);
    let problem = |ValueProblem { place, error }: ValueProblem| {
        let said = ValueError::new(shown(&error.key, NAME_BYTES_MAX), short(&error.message));
        let help = error.help.as_deref().map(short);
        let error = match help {
            Some(help) => said.help(help),
            None => said,
        };
        ValueProblem { place, error }
    };
    problems.into_iter().take(PROBLEMS_MAX).map(problem).collect()
}

/// Those samples that a metrics page can show, under names of their own.
pub(super) fn samples(samples: Vec<Sample>) -> Vec<Sample> {
    samples.into_iter().take(SAMPLES_MAX).filter_map(sample).collect()
}

fn sample(sample: Sample) -> Option<Sample> {
    let names = sample.labels.iter().map(|(key, _)| key).chain(&sample.unit);
    let keys: BTreeSet<_> = sample.labels.iter().map(|(key, _)| key).collect();
    let right = is_name(&sample.name)
        && keys.len() == sample.labels.len()
        && { names }.all(|name| is_name(name) && name != "provider" && name != "le")
        && sample.labels.len() <= PARTS_MAX
        && is_right(&sample.value);
    let short = |it: Cow<'static, str>| Cow::Owned(shown(&it, TEXT_BYTES_MAX));
    right.then(|| Sample {
        name: Cow::Owned(format!("{PREFIX}{}", sample.name)),
        help: short(sample.help),
        labels: sample.labels.into_iter().map(|(key, text)| (key, short(text))).collect(),
        ..sample
    })
}

fn is_right(value: &SampleValue) -> bool {
    let SampleValue::Histogram { buckets, sum } = value else { return true };
    let all = buckets.iter().try_fold(0_u64, |sum, (_, count)| sum.checked_add(*count));
    let bounds = || buckets.iter().map(|(bound, _)| bound.unwrap_or(f64::INFINITY));
    let rises = bounds().zip(bounds().skip(1)).all(|(one, next)| one < next);
    buckets.len() <= PARTS_MAX && all.is_some() && rises && sum.is_finite()
}

/// True for what may be the name of a metric, a label or a unit.
fn is_name(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c == '_';
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| letter(c) || c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_short_line() {
        let failure = Failure { code: "E_NONE".to_owned(), message: "x\n".repeat(1 << 20) };
        let error = error(failure);
        assert_eq!(error.code(), trellis_core::Code::Provider);
        assert_eq!(error.message().len(), ERROR_BYTES_MAX);
    }

    #[test]
    fn only_addresses_of_its_own_bindings_are_told() {
        let at = |binding, url: &str| Listening {
            binding: BindingId(binding),
            address: ([127, 0, 0, 1], 80).into(),
            url: url.to_owned(),
        };
        let told = addresses(vec![at(1, "http://a\n\u{1b}"), at(2, "x")], |id| id.0 == 1);
        assert_eq!(told, [at(1, "http://a  ")]);
    }

    #[test]
    fn only_samples_that_a_page_can_show_are_taken() {
        let good = Sample::counter("things", "Things", 1).label("kind", "a\nb").unit("bytes");
        let [taken] = &samples(vec![good.clone()])[..] else { panic!("it is taken") };
        assert_eq!(taken.to_string(), "program_things_bytes_total{kind=\"a b\"} 1");
        let bucket = |count| (1.0, count);
        for bad in [
            Sample::counter("", "", 1),
            Sample::counter("no such\nname", "", 1),
            Sample::counter("Upper", "", 1),
            good.clone().label("provider", "mine"),
            good.clone().label("a b", ""),
            good.clone().unit("x y"),
            Sample::histogram("h", "", [bucket(u64::MAX), bucket(1)], 0.0),
            Sample::histogram("h", "", (0..65).map(bucket), 0.0),
            Sample::histogram("h", "", [bucket(1)], f64::NAN),
            Sample::histogram("h", "", [(2.0, 1), (1.0, 1)], 0.0),
            Sample::histogram("h", "", [(f64::NAN, 1), (1.0, 1)], 0.0),
            good.clone().label("kind", "again"),
        ] {
            assert!(samples(vec![bad.clone()]).is_empty(), "{bad:?}");
        }
        assert_eq!(samples(vec![good; 2_000]).len(), SAMPLES_MAX);
    }
}
