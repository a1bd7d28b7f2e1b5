//! Where telemetry goes: what the manifest says of it, and the environment.

use trellis_claims::PublicKey;
use trellis_manifest::{Problem, TelemetrySpec, TextPairs};
use trellis_telemetry::{Settings, Telemetry, Written};

/// What a manifest says.
pub(crate) fn written(spec: &TelemetrySpec) -> Written {
    let pairs = |pairs: &TextPairs| {
        let pairs = pairs.iter();
        pairs.map(|(name, value)| (name.value.clone(), value.value.clone())).collect()
    };
    Written {
        endpoint: Some(spec.endpoint.value.clone()),
        headers: pairs(&spec.headers),
        service: spec.service.as_ref().map(|service| service.value.clone()),
        attributes: pairs(&spec.attributes),
        share: spec.sampled_millionths.map(|share| f64::from(share) / 1e6),
    }
}

/// What is wrong with that. No value is told: the address may hold a password.
pub(crate) fn problems(spec: Option<&TelemetrySpec>) -> Vec<Problem> {
    let Some(spec) = spec else { return Vec::new() };
    let written = written(spec);
    let endpoint = written.endpoint_fault().map(|form| {
        let message = format!("the receiver's address must be {form}");
        Problem::new(spec.endpoint.span, message)
    });
    let header = |(place, form): (usize, &str)| {
        let (name, _) = &spec.headers[place];
        let message = format!("`{}` is no header to send: there may be {form}", name.value);
        Problem::new(name.span, message)
    };
    endpoint.into_iter().chain(written.header_faults().map(header)).collect()
}

/// Where telemetry goes from a host of that key and name.
pub(crate) fn telemetry(written: &Written, (key, name): (&PublicKey, String)) -> Telemetry {
    let written = written.clone();
    let service = written.service.or(Some(name));
    let mut attributes = vec![
        ("service.instance.id".to_owned(), key.as_str().to_owned()),
        ("service.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ];
    attributes.extend(written.attributes);
    Telemetry::of(read(&Written { service, attributes, ..written }))
}

/// Tells what a start would say of the variables of the environment, which stop no host.
pub(crate) fn tell_of_environment(written: &Written) {
    match read(written) {
        Ok(None) => {}
        Ok(Some(settings)) => settings.remarks().iter().for_each(|it| tracing::warn!("{it}")),
        Err(problems) => {
            problems.iter().for_each(|it| tracing::warn!("there would be no telemetry: {it}"));
        }
    }
}

fn read(written: &Written) -> Result<Option<Settings>, Vec<String>> {
    Settings::read(&|name| std::env::var(name).ok(), written)
}

#[cfg(test)]
mod tests {
    use trellis_manifest::{Format, SourceText, read};

    use super::*;

    fn problems_of(telemetry: &str) -> Vec<String> {
        let text = format!("actors: []\nhost: {{telemetry: {telemetry}}}");
        let source = SourceText::new("a.yaml", text, Format::Yaml);
        let manifest = read(&source, &|_| None).unwrap_or_else(|report| panic!("{report}"));
        let problems = problems(manifest.host.telemetry.as_ref());
        problems.into_iter().map(|it| it.message).collect()
    }

    #[test]
    fn what_a_start_could_not_use_is_a_problem_of_the_manifest() {
        let right = "{endpoint: 'http://a:4318', headers: {api-key: canary}}";
        assert_eq!(problems_of(right), [""; 0]);
        let wrong =
            "{endpoint: 'http://a b', headers: {content-length: canary, a b: c, d: \"x\\n\"}}";
        let problems = problems_of(wrong);
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert!(problems[0].contains("http://127.0.0.1:4318"), "{problems:?}");
        assert!(problems.iter().any(|it| it.contains("content-length")), "{problems:?}");
        assert!(!problems.concat().contains("canary"), "{problems:?}");
    }
}
