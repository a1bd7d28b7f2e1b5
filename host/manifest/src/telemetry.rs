//! `host: {telemetry: …}`: where traces and metrics go.

use serde_json::{Value as Json, json};

use crate::form::{Form, Pairs, Text, parsed, text_schema};
use crate::object::object;
use crate::report::Problems;
use crate::spec::TelemetrySpec;
use crate::tree::Node;

/// Parts of a whole trace stream.
const MILLION: u32 = 1_000_000;

object! {
    /// Where traces and metrics go, as OTLP over HTTP. Environment variables such as
    /// `OTEL_EXPORTER_OTLP_ENDPOINT` come first.
    Telemetry("`telemetry`") {
        /// The receiver's address, such as `http://127.0.0.1:4318`; `/v1/traces` and `/v1/metrics`
        /// are added.
        endpoint: Address,
        /// Headers of each request; secret, so best written as `${NAME}`.
        headers: Pairs,
        /// `service.name`; the manifest's `name` without it.
        service: Option<Text>,
        /// More about this host, such as `deployment.environment.name`.
        attributes: Pairs,
        /// The share of the traces that are recorded, of those that begin at this host: from 0 to
        /// 1; all without it.
        sampled: Option<Share>,
    }
}

/// The address of a receiver.
pub(crate) struct Address(Text);

impl Form for Address {
    fn schema() -> Json {
        text_schema("^https?://.+")
    }

    fn read(node: &Node, what: &str, problems: &mut Problems) -> Option<Self> {
        let form = "an address such as `http://127.0.0.1:4318`";
        let read = |text: &str| {
            let (scheme, rest) = text.split_once("://")?;
            let is_address = matches!(scheme, "http" | "https") && !rest.is_empty();
            is_address.then(|| text.to_owned())
        };
        let text = parsed(node, what, form, problems, read)?;
        Some(Self(Text::new(text, node.span)))
    }
}

/// A share from 0 to 1, in millionths.
pub(crate) struct Share(u32);

impl Form for Share {
    fn schema() -> Json {
        let number = json!({ "type": "number", "minimum": 0, "maximum": 1 });
        json!({ "anyOf": [number, text_schema("^(0|1|0?\\.[0-9]+|[01]\\.0*)$")] })
    }

    fn read(node: &Node, what: &str, problems: &mut Problems) -> Option<Self> {
        let read = |text: &str| {
            let share: f64 = text.parse().ok()?;
            // Within these bounds nothing is lost.
            (0.0..=1.0).contains(&share).then(|| Self((share * f64::from(MILLION)).round() as u32))
        };
        parsed(node, what, "a share from 0 to 1, such as `0.1`", problems, read)
    }
}

/// What it means.
pub(crate) fn telemetry(written: Telemetry) -> TelemetrySpec {
    TelemetrySpec {
        endpoint: written.endpoint.0,
        headers: written.headers.0,
        service: written.service,
        attributes: written.attributes.0,
        sampled_millionths: written.sampled.map(|share| share.0),
    }
}
