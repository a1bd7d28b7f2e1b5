//! Spans and metrics as messages of OTLP, version 1.
//!
//! Source of the numbers: <https://github.com/open-telemetry/opentelemetry-proto>, `v1`. The tests
//! read what is written here with the types that are made of it.

mod answer;
mod common;
mod metrics;
mod traces;
mod writer;

pub(crate) use answer::{Rejected, rejected};
pub(crate) use common::Resource;
pub(crate) use metrics::{Moment, metrics};
pub(crate) use traces::traces;
