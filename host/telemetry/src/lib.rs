//! Traces and metrics for OpenTelemetry.
//!
//! [`Settings`] say where they go, from the environment variables of OpenTelemetry and from the
//! manifest; without an address there are none, and nothing here runs. [`Telemetry`] is the tracer
//! of the road, decides at a trace's root whether it is recorded, and keeps what the road tells in
//! a bounded queue. Tasks aside send that, and the metrics page, as OTLP over HTTP. A receiver that
//! is down costs a warning and the spans that find no room.
//!
//! The modules in reading order: [`settings`] with `variables`, `endpoint` and `header`, `sampler`,
//! `tracer`, `exemplars`, `page` (the metrics page as data), `otlp` (both as protobuf), `sender`
//! (one request and its answer), `outlet` (what became of them), `work` (the tasks).
//!
//! **Deliberately absent:** what is measured and what a span says: that is known where it happens.
//! The SDK of OpenTelemetry: see Decision 129.

mod endpoint;
mod exemplars;
mod header;
mod otlp;
mod outlet;
mod page;
mod sampler;
mod sender;
pub mod settings;
mod telemetry;
mod tracer;
mod variables;
mod work;

pub use sampler::Sampler;
pub use settings::{Settings, Written};
pub use telemetry::{Running, Telemetry};
