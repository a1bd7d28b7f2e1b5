//! What is known of one limit.

use trellis_core::Code;
use trellis_core::units::{written_duration, written_size};

/// One row of the table of limits, for the manifest, the documentation and the errors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    /// The stable name, as errors and metrics print it.
    pub name: &'static str,
    /// The key in a manifest: under `limits:` of an actor, or under `host:`.
    pub key: &'static str,
    /// The unit of the value.
    pub unit: &'static str,
    /// The default, in that unit.
    pub default: u64,
    /// The least a manifest may say: with less no actor could run, or no call be made.
    pub least: u64,
    /// The most a host gives, whatever a manifest says.
    pub most: u64,
    /// The code of the error when it is hit; `None` when the hit is only counted.
    pub code: Option<Code>,
    /// What happens when it is hit.
    pub hit: &'static str,
}

impl Limit {
    /// The default as a manifest has it.
    #[must_use]
    pub fn written_default(&self) -> String {
        self.written(self.default)
    }

    /// A value as a manifest has it: there, a bare number is seconds, whatever the unit.
    #[must_use]
    pub fn written(&self, value: u64) -> String {
        match self.unit {
            "ms" => written_duration(value),
            "bytes" => written_size(value),
            _ => value.to_string(),
        }
    }

    /// The same limit, which a manifest may set from `least` up, and a host gives up to `most`.
    pub(crate) const fn between(self, least: u64, most: u64) -> Self {
        Self { least, most, ..self }
    }
}

pub(crate) const fn row(
    (name, key): (&'static str, &'static str),
    (default, unit): (u64, &'static str),
    code: Option<Code>,
    hit: &'static str,
) -> Limit {
    Limit { name, key, unit, default, least: 0, most: u64::MAX, code, hit }
}
