//! What is recorded, and where it goes.

use std::path::PathBuf;
use std::time::Duration;
use std::{fmt, mem};

use reqwest::header::{HeaderMap, HeaderName};
use trellis_limits::fixed::{TELEMETRY_BATCH, TELEMETRY_SEND, TELEMETRY_SPANS};

use crate::endpoint::Endpoint;
use crate::header::header;
use crate::otlp::Resource;
use crate::sampler::Sampler;
use crate::variables::Variables;

/// What the receiver's address is called in a manifest.
const WRITTEN_ENDPOINT: &str = "host.telemetry.endpoint";

/// Where receivers take gRPC, by convention.
/// Source: <https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-default-port>.
const GRPC_PORT: u16 = 4317;
/// How often spans are sent, unless a batch is full before.
const SPANS_EVERY: Duration = Duration::from_secs(5);
/// How often metrics are sent.
const METRICS_EVERY: Duration = Duration::from_secs(60);

/// What the manifest says, and who the host is.
#[derive(Clone, PartialEq, Default)]
pub struct Written {
    /// The receiver's address, without `/v1/traces`.
    pub endpoint: Option<String>,
    /// Headers of each request. Secret.
    pub headers: Vec<(String, String)>,
    /// `service.name`.
    pub service: Option<String>,
    /// More about the host, such as `deployment.environment.name`.
    pub attributes: Vec<(String, String)>,
    /// The share of the traces that are recorded, of those that begin here: from 0 to 1.
    pub share: Option<f64>,
}

/// Where telemetry goes, and which.
#[derive(Clone, PartialEq, Debug)]
pub struct Settings {
    /// Where spans go, if they do.
    pub(crate) traces: Option<Receiver>,
    /// Where metrics go, if they do.
    pub(crate) metrics: Option<Receiver>,
    pub(crate) sampler: Sampler,
    pub(crate) resource: Resource,
    /// Most spans that wait.
    pub(crate) spans_max: usize,
    /// Most spans in one request.
    pub(crate) batch_max: usize,
    pub(crate) spans_every: Duration,
    pub(crate) metrics_every: Duration,
    /// What may be meant otherwise than it is understood.
    pub(crate) remarks: Vec<String>,
}

/// One receiver of one signal.
#[derive(Clone, PartialEq)]
pub(crate) struct Receiver {
    /// What it gets: `traces` or `metrics`.
    pub(crate) signal: &'static str,
    pub(crate) endpoint: Endpoint,
    /// Secret.
    pub(crate) headers: HeaderMap,
    /// How long one request may take, to the end of its answer.
    pub(crate) time_max: Duration,
    /// Whether what is sent is compressed.
    pub(crate) is_gzip: bool,
    /// The file of the certificates to trust, in place of those of the machine.
    pub(crate) certificates: Option<PathBuf>,
}

impl Written {
    /// What is wrong with the address, if there is one: what it should be.
    #[must_use]
    pub fn endpoint_fault(&self) -> Option<&'static str> {
        Endpoint::read(self.endpoint.as_ref()?).err()
    }

    /// What is wrong with which headers: what such a one should be.
    pub fn header_faults(&self) -> impl Iterator<Item = (usize, &'static str)> + '_ {
        let headers = self.headers.iter().enumerate();
        headers.filter_map(|(place, (name, value))| Some((place, header(name, value).err()?)))
    }
}

impl Settings {
    /// What the environment and the manifest say together; the environment comes first. `None`
    /// when there is no telemetry: nobody said where it goes, or somebody that there is none.
    ///
    /// # Errors
    /// What cannot be understood, each with what it should be. It names no value.
    pub fn read(
        env: &dyn Fn(&str) -> Option<String>,
        written: &Written,
    ) -> Result<Option<Self>, Vec<String>> {
        let mut variables = Variables::new(env);
        if variables.is_true("OTEL_SDK_DISABLED") {
            return Ok(None);
        }
        let traces = receiver("traces", &mut variables, written);
        let metrics = receiver("metrics", &mut variables, written);
        if traces.is_none() && metrics.is_none() && variables.problems.is_empty() {
            return Ok(None);
        }
        let whole = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
        let form = "a number of spans, from 1";
        let spans_max = variables.number("OTEL_BSP_MAX_QUEUE_SIZE", 1, form);
        let spans_max = spans_max.unwrap_or(whole(TELEMETRY_SPANS.default));
        let batch_max = variables.number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 1, form);
        let batch_max = batch_max.unwrap_or(whole(TELEMETRY_BATCH.default)).min(spans_max);
        let spans_every = variables.time("OTEL_BSP_SCHEDULE_DELAY").unwrap_or(SPANS_EVERY);
        let metrics_every = variables.time("OTEL_METRIC_EXPORT_INTERVAL");
        let settings = Self {
            sampler: sampler(&mut variables, written),
            resource: resource(&mut variables, written),
            traces,
            metrics,
            // A host of many cores may be given more room, within reason.
            spans_max: spans_max.min(whole(TELEMETRY_SPANS.most)),
            batch_max: batch_max.min(whole(TELEMETRY_BATCH.most)),
            spans_every,
            metrics_every: metrics_every.unwrap_or(METRICS_EVERY),
            remarks: mem::take(&mut variables.remarks),
        };
        if variables.problems.is_empty() { Ok(Some(settings)) } else { Err(variables.problems) }
    }

    /// What may be meant otherwise than it is understood.
    #[must_use]
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// Where what goes, for the log.
    #[must_use]
    pub fn told(&self) -> String {
        let mut told = Vec::new();
        if let Some(traces) = &self.traces {
            told.push(format!("{} to {}", self.sampler.told(), traces.endpoint));
        }
        if let Some(metrics) = &self.metrics {
            let seconds = self.metrics_every.as_secs_f64();
            told.push(format!("metrics every {seconds} s to {}", metrics.endpoint));
        }
        told.join(", ")
    }
}

/// The receiver of a signal, if it goes anywhere.
fn receiver(
    signal: &'static str,
    variables: &mut Variables<'_>,
    written: &Written,
) -> Option<Receiver> {
    let exporter = format!("OTEL_{}_EXPORTER", signal.to_ascii_uppercase());
    match variables.text(&exporter).as_deref() {
        None | Some("otlp") => {}
        Some("none") => return None,
        Some(_) => variables.problem(&exporter, "`otlp` or `none`"),
    }
    let own = format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", signal.to_ascii_uppercase());
    let all = "OTEL_EXPORTER_OTLP_ENDPOINT";
    // The address of one signal is whole; that of all is the folder of theirs.
    let (named, read) = if let Some(text) = variables.text(&own) {
        (&*own, Endpoint::read(&text))
    } else if let Some(text) = variables.text(all) {
        (all, Endpoint::read(&text).map(|it| it.of_signal(signal)))
    } else {
        let text = written.endpoint.as_ref()?;
        (WRITTEN_ENDPOINT, Endpoint::read(text).map(|it| it.of_signal(signal)))
    };
    protocol(signal, variables);
    let is_gzip = is_gzip(signal, variables);
    let certificates = variables.of_signal(signal, "CERTIFICATE").map(|(_, file)| file.into());
    let is_written = named == WRITTEN_ENDPOINT;
    let headers = headers(signal, variables, (written, is_written));
    let time = variables.of_signal(signal, "TIMEOUT").map(|(name, _)| name);
    let time_max = time.and_then(|name| variables.time(&name));
    let time_max = time_max.unwrap_or(Duration::from_millis(TELEMETRY_SEND.default));
    match read {
        Ok(endpoint) => {
            if endpoint.url().port() == Some(GRPC_PORT) {
                variables.remark(
                    named,
                    "has port 4317, where receivers take gRPC, which is not \
                                         spoken; they take HTTP at port 4318",
                );
            }
            Some(Receiver { signal, endpoint, headers, time_max, is_gzip, certificates })
        }
        Err(form) => {
            variables.problem(named, form);
            None
        }
    }
}

fn protocol(signal: &str, variables: &mut Variables<'_>) {
    if let Some((name, protocol)) = variables.of_signal(signal, "PROTOCOL")
        && protocol != "http/protobuf"
    {
        let form = "`http/protobuf`, which receivers take at port 4318; gRPC (port 4317) and \
                    JSON are not spoken";
        variables.problem(&name, form);
    }
}

fn is_gzip(signal: &str, variables: &mut Variables<'_>) -> bool {
    let Some((name, compression)) = variables.of_signal(signal, "COMPRESSION") else {
        return false;
    };
    if !matches!(&*compression, "gzip" | "none") {
        variables.problem(&name, "`gzip` or `none`");
    }
    compression == "gzip"
}

fn headers(
    signal: &str,
    variables: &mut Variables<'_>,
    (written, is_written): (&Written, bool),
) -> HeaderMap {
    let (name, pairs) = match variables.of_signal(signal, "HEADERS") {
        Some((name, _)) => (name.clone(), variables.pairs(&name)),
        // What is meant for the manifest's receiver goes to no other.
        None if is_written => ("host.telemetry.headers".to_owned(), written.headers.clone()),
        None => return HeaderMap::new(),
    };
    let mut headers = HeaderMap::new();
    for (key, value) in pairs {
        match header(&key, &value) {
            Ok((key, value)) => drop(headers.insert(key, value)),
            Err(form) => variables.problem(&name, form),
        }
    }
    headers
}

fn sampler(variables: &mut Variables<'_>, written: &Written) -> Sampler {
    let (name, argument) = ("OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG");
    let share = variables.number(argument, 0.0, "a share from 0 to 1");
    if share.is_some_and(|share| share > 1.0) {
        variables.problem(argument, "a share from 0 to 1");
    }
    let Some(named) = variables.text(name) else {
        return written.share.map(Sampler::of_share).unwrap_or_default();
    };
    Sampler::named(&named, share).unwrap_or_else(|| {
        let names =
            "`always_on`, `always_off` or `traceidratio`, or one of these after `parentbased_`";
        variables.problem(name, names);
        Sampler::default()
    })
}

/// Who tells. What is named twice is what was said last: the environment's.
fn resource(variables: &mut Variables<'_>, written: &Written) -> Resource {
    let mut resource = Resource::new();
    let mut say = |name: &str, value: String| {
        resource.retain(|(said, _)| said != name);
        resource.push((name.to_owned(), value));
    };
    say("service.name", "trellis".to_owned());
    for (name, value) in &written.attributes {
        say(name, value.clone());
    }
    if let Some(service) = &written.service {
        say("service.name", service.clone());
    }
    for (name, value) in variables.pairs("OTEL_RESOURCE_ATTRIBUTES") {
        say(&name, value);
    }
    if let Some(service) = variables.text("OTEL_SERVICE_NAME") {
        say("service.name", service);
    }
    say("telemetry.sdk.name", "trellis".to_owned());
    say("telemetry.sdk.language", "rust".to_owned());
    say("telemetry.sdk.version", env!("CARGO_PKG_VERSION").to_owned());
    resource
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&str> = self.headers.keys().map(HeaderName::as_str).collect();
        f.debug_struct("Receiver")
            .field("signal", &self.signal)
            .field("endpoint", &self.endpoint)
            .field("headers", &headers)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&String> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Written").field("headers", &headers).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the environment with these variables means.
    fn read(env: &[(&str, &str)], written: &Written) -> Result<Option<Settings>, Vec<String>> {
        let lookup = |name: &str| {
            env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Settings::read(&lookup, written)
    }

    fn settings(env: &[(&str, &str)], written: &Written) -> Settings {
        read(env, written).expect("it is right").expect("it is on")
    }

    fn manifest() -> Written {
        Written {
            endpoint: Some("http://manifest:4318".to_owned()),
            headers: vec![("key".to_owned(), "canary".to_owned())],
            service: Some("app".to_owned()),
            attributes: vec![("team".to_owned(), "a".to_owned())],
            share: Some(0.5),
        }
    }

    #[test]
    fn there_is_none_unless_somebody_says_where_it_goes() {
        let none = Written::default();
        for (env, written) in [
            (&[][..], &none),
            (&[("OTEL_SERVICE_NAME", "a"), ("OTEL_TRACES_SAMPLER", "always_on")], &none),
            (&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")], &none),
            (&[("OTEL_SDK_DISABLED", "True")], &manifest()),
            (&[("OTEL_TRACES_EXPORTER", "none"), ("OTEL_METRICS_EXPORTER", "none")], &manifest()),
        ] {
            assert_eq!(read(env, written), Ok(None), "{env:?}");
        }
    }

    #[test]
    fn the_environment_comes_before_the_manifest() {
        let told = |settings: &Settings, signal: &str| {
            let receiver = if signal == "traces" { &settings.traces } else { &settings.metrics };
            receiver.as_ref().map(|it| it.endpoint.to_string())
        };
        let plain = settings(&[], &manifest());
        assert_eq!(told(&plain, "traces").as_deref(), Some("http://manifest:4318/v1/traces"));
        assert_eq!(told(&plain, "metrics").as_deref(), Some("http://manifest:4318/v1/metrics"));
        assert_eq!(plain.sampler, Sampler::of_share(0.5));
        let env = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://env:1/x"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://env:2/here"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=1"),
            ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "b=2"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "70"),
            ("OTEL_SERVICE_NAME", "named"),
            ("OTEL_RESOURCE_ATTRIBUTES", "team=b,service.name=other,c=%41"),
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "4"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
            ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "gzip"),
        ];
        let both = settings(&env, &manifest());
        assert_eq!(told(&both, "traces").as_deref(), Some("http://env:2/here"));
        assert_eq!(told(&both, "metrics").as_deref(), Some("http://env:1/x/v1/metrics"));
        assert_eq!(both.sampler, Sampler::of_share(0.25));
        let (traces, metrics) = (both.traces.expect("on"), both.metrics.expect("on"));
        assert_eq!(
            (&traces.headers["a"], &metrics.headers["b"]),
            (&"1".parse().expect("ASCII"), &"2".parse().expect("ASCII"))
        );
        assert_eq!((traces.headers.len(), traces.time_max), (1, Duration::from_millis(70)));
        assert_eq!((traces.is_gzip, metrics.is_gzip), (false, true));
        assert_eq!((both.spans_max, both.batch_max), (4, 4), "a batch fits into the queue");
        let of = |name: &str| {
            let mut found = both.resource.iter().filter(|(said, _)| said == name);
            let value = found.next().map(|(_, value)| value.as_str());
            assert_eq!(found.next(), None, "{name} is said once");
            value
        };
        assert_eq!(
            (of("service.name"), of("team"), of("c")),
            (Some("named"), Some("b"), Some("A"))
        );
    }

    #[test]
    fn what_cannot_be_understood_is_named_and_no_value_is_shown() {
        let on = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:1");
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "canary"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "canary"),
            ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "canary"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=canary%0a"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "Content-Length=7"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "canary"),
            ("OTEL_TRACES_EXPORTER", "canary"),
            ("OTEL_TRACES_SAMPLER", "canary"),
            ("OTEL_TRACES_SAMPLER_ARG", "1.5"),
            ("OTEL_TRACES_SAMPLER_ARG", "-1"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
            ("OTEL_RESOURCE_ATTRIBUTES", "canary"),
        ] {
            let problems = read(&[on, (name, value)], &Written::default()).expect_err(name);
            assert!(
                problems.iter().all(|it| it.starts_with(&format!("{name} must be "))),
                "{problems:?}"
            );
            assert!(!format!("{problems:?}").contains("canary"), "{problems:?}");
        }
        let written = Written { endpoint: Some("canary".to_owned()), ..Written::default() };
        let problems = read(&[], &written).expect_err("no address");
        assert!(problems[0].starts_with("host.telemetry.endpoint must be"), "{problems:?}");
    }

    #[test]
    fn what_turns_nothing_off_is_remarked() {
        for (value, remarks) in [("1", 1), ("yes", 1), ("false", 0), ("FALSE", 0), ("", 0)] {
            let settings = settings(&[("OTEL_SDK_DISABLED", value)], &manifest());
            assert_eq!(settings.remarks.len(), remarks, "{value}: {:?}", settings.remarks);
            assert!(settings.remarks.iter().all(|it| it.contains("OTEL_SDK_DISABLED")));
        }
    }

    #[test]
    fn an_address_for_grpc_is_remarked_once() {
        for (env, remarks) in [
            (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4317")][..], 1),
            (&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://a:4317/v1/traces")], 1),
            (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4318")], 0),
        ] {
            let settings = settings(env, &Written::default());
            assert_eq!(settings.remarks.len(), remarks, "{env:?}: {:?}", settings.remarks);
            let told = |it: &String| it.contains("4318") && it.starts_with(env[0].0);
            assert!(settings.remarks.iter().all(told), "{:?}", settings.remarks);
        }
        let endpoint = Some("http://a:4317".to_owned());
        let settings = settings(&[], &Written { endpoint, ..Written::default() });
        assert!(settings.remarks[0].starts_with("host.telemetry.endpoint has port 4317"));
    }

    #[test]
    fn what_a_manifest_says_is_judged_without_the_environment() {
        assert_eq!(manifest().endpoint_fault(), None);
        assert_eq!(manifest().header_faults().count(), 0);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = vec![pair("a", "b"), pair("Host", "b"), pair("a b", "c"), pair("d", "\n")];
        let wrong = Written { endpoint: Some("http://a b".to_owned()), headers, ..manifest() };
        assert!(wrong.endpoint_fault().is_some());
        let places: Vec<_> = wrong.header_faults().map(|(place, _)| place).collect();
        assert_eq!(places, [1, 2, 3]);
    }

    #[test]
    fn headers_are_shown_nowhere() {
        let settings = settings(&[], &manifest());
        for shown in [format!("{settings:?}"), settings.told(), format!("{:?}", manifest())] {
            assert!(!shown.contains("canary"), "{shown}");
        }
        let told = settings.told();
        assert!(
            told.contains("50 % of the traces that begin here to http://manifest:4318"),
            "{told}"
        );
    }
}
