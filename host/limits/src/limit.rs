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
    /// The code of the error when it is hit; `None` when the hit is only counted.
    pub code: Option<Code>,
    /// What happens when it is hit.
    pub hit: &'static str,
}

impl Limit {
    /// The default as a manifest has it: there, a bare number is seconds, whatever the unit.
    #[must_use]
    pub fn written_default(&self) -> String {
        match self.unit {
            "ms" => written_duration(self.default),
            "bytes" => written_size(self.default),
            _ => self.default.to_string(),
        }
    }
}

pub(crate) const fn row(
    (name, key): (&'static str, &'static str),
    (default, unit): (u64, &'static str),
    code: Option<Code>,
    hit: &'static str,
) -> Limit {
    Limit { name, key, unit, default, code, hit }
}
