//! What is known of one limit.

use trellis_core::Code;

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

pub(crate) const fn row(
    (name, key): (&'static str, &'static str),
    (default, unit): (u64, &'static str),
    code: Option<Code>,
    hit: &'static str,
) -> Limit {
    Limit { name, key, unit, default, code, hit }
}
