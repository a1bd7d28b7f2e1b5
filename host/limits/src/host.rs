//! What all actors of a host may use together.

use trellis_core::Code;

use crate::limit::{Limit, row};

/// The limits of a whole host, all its actors together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HostLimits {
    /// Most instances. Each reserves about 4 GiB of address space, not of memory.
    pub instances_total_max: u32,
    /// Most modules with their code in memory.
    pub modules_resident_max: u32,
    /// Most host calls waiting at once.
    pub host_calls_in_flight_max: u32,
}

impl Default for HostLimits {
    fn default() -> Self {
        Self {
            instances_total_max: 1_000,
            modules_resident_max: 1_000,
            host_calls_in_flight_max: 1_000,
        }
    }
}

/// Every limit of a whole host; their keys are under `host:`.
pub const HOST_TABLE: &[Limit] = &[
    row(
        ("instances_total_max", "instances_total"),
        (1_000, "instances"),
        Some(Code::Busy),
        "an idle instance of another actor is dropped; if there is none, the call is refused",
    ),
    row(
        ("modules_resident_max", "modules_resident"),
        (1_000, "modules"),
        None,
        "the least recently used module leaves memory; its next call loads it from the cache",
    ),
    row(
        ("host_calls_in_flight_max", "host_calls_in_flight"),
        (1_000, "calls"),
        Some(Code::Busy),
        "the host call is refused",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_host_says_what_its_defaults_are() {
        let HostLimits { instances_total_max, modules_resident_max, host_calls_in_flight_max } =
            HostLimits::default();
        let defaults = [
            ("instances_total_max", instances_total_max),
            ("modules_resident_max", modules_resident_max),
            ("host_calls_in_flight_max", host_calls_in_flight_max),
        ];
        let table = HOST_TABLE.iter().map(|limit| (limit.name, limit.default));
        assert!(table.eq(defaults.map(|(name, default)| (name, u64::from(default)))));
    }
}
