//! `limits:` of an actor: every key of [`trellis_limits::TABLE`], with its unit.

use std::time::Duration;

use serde_json::{Value as Json, json};
use trellis_core::nearest;
use trellis_core::units::{parse_duration, parse_size};
use trellis_limits::{ActorLimits, Limit, TABLE};

use crate::form::{Form, SIZE_PATTERN, TIME_PATTERN, parsed, text_schema, whole_number};
use crate::object::{self, Entries, Key};
use crate::report::Problems;
use crate::source::Span;
use crate::spec::WrittenLimit;
use crate::tree::Node;

/// The key of the limit that is not under `limits`.
const INSTANCES: &str = "instances.max";

/// Where a limit is kept, which also decides its unit.
#[derive(Clone, Copy)]
enum Slot {
    Size(fn(&mut ActorLimits) -> &mut u64),
    /// A size that cannot exceed a guest's 32-bit memory.
    Size32(fn(&mut ActorLimits) -> &mut u32),
    Time(fn(&mut ActorLimits) -> &mut Duration),
    Count(fn(&mut ActorLimits) -> &mut u32),
}

impl Slot {
    /// The place of the limit that a manifest calls `key`.
    fn of(key: &str) -> Option<Self> {
        Some(match key {
            "module_bytes" => Self::Size(|limits| &mut limits.module_bytes_max),
            "module_functions" => Self::Count(|limits| &mut limits.module_functions_max),
            "module_locals" => Self::Count(|limits| &mut limits.module_locals_max),
            "compile_time" => Self::Time(|limits| &mut limits.compile_time_max),
            "compile_memory" => Self::Size(|limits| &mut limits.compile_memory_bytes_max),
            "memory" => Self::Size(|limits| &mut limits.memory_bytes_max),
            "table_elements" => Self::Count(|limits| &mut limits.table_elements_max),
            "call_time" => Self::Time(|limits| &mut limits.call_time_max),
            "init_time" => Self::Time(|limits| &mut limits.init_time_max),
            "start_backoffs" => Self::Count(|limits| &mut limits.start_backoffs_max),
            "call_depth" => Self::Count(|limits| &mut limits.call_depth_max),
            "payload_bytes" => Self::Size32(|limits| &mut limits.payload_bytes_max),
            "name_bytes" => Self::Size32(|limits| &mut limits.name_bytes_max),
            "queue" => Self::Count(|limits| &mut limits.queue_max),
            "queue_time" => Self::Time(|limits| &mut limits.queue_time_max),
            "host_calls_per_call" => Self::Count(|limits| &mut limits.host_calls_per_call_max),
            "log_lines_per_s" => Self::Count(|limits| &mut limits.log_lines_per_s),
            "log_line_bytes" => Self::Size32(|limits| &mut limits.log_line_bytes_max),
            "replay_calls" => Self::Count(|limits| &mut limits.replay_calls_max),
            "replay_bytes" => Self::Size(|limits| &mut limits.replay_bytes_max),
            _ => return None,
        })
    }

    /// Reads a value of `limit` for this place; times are in milliseconds.
    fn read(
        self,
        limit: &Limit,
        (node, what): (&Node, &str),
        problems: &mut Problems,
    ) -> Option<u64> {
        let (least, example) = (limit.written(limit.least), limit.written_default());
        let fits = |value: &u64| *value >= limit.least;
        let narrow = |value: &u64| fits(value) && u32::try_from(*value).is_ok();
        match self {
            Self::Size(_) => {
                let form = format!("a size from {least}, such as `{example}`");
                parsed(node, what, &form, problems, |text| parse_size(text).filter(fits))
            }
            Self::Size32(_) => {
                let form = format!("a size from {least} to below 4GiB, such as `{example}`");
                parsed(node, what, &form, problems, |text| parse_size(text).filter(narrow))
            }
            Self::Time(_) => {
                let form = format!("a time from {least}, such as `{example}`");
                let read = |text: &str| u64::try_from(parse_duration(text)?.as_millis()).ok();
                parsed(node, what, &form, problems, |text| read(text).filter(fits))
            }
            Self::Count(_) => {
                let form = format!("a whole number from {least} to {}", u32::MAX);
                let read = |text: &str| whole_number(text).map(u64::from).filter(fits);
                parsed(node, what, &form, problems, read)
            }
        }
    }

    /// The unit of a bare number, after the limit's name.
    fn unit(self, limit: &Limit) -> String {
        match self {
            Self::Time(_) => " (a time; a bare number is seconds)".to_owned(),
            Self::Size(_) | Self::Size32(_) => " (a size; a bare number is bytes)".to_owned(),
            Self::Count(_) => format!(", in {}", limit.unit),
        }
    }

    fn set(self, limits: &mut ActorLimits, value: u64) {
        // `read` has checked that the value fits.
        let narrow = u32::try_from(value).unwrap_or(u32::MAX);
        match self {
            Self::Size(place) => *place(limits) = value,
            Self::Time(place) => *place(limits) = Duration::from_millis(value),
            Self::Size32(place) | Self::Count(place) => *place(limits) = narrow,
        }
    }

    fn schema(self, limit: &Limit) -> Json {
        let (number, pattern) = match self {
            Self::Size(_) | Self::Size32(_) => (limit.least, SIZE_PATTERN),
            // A bare number is seconds.
            Self::Time(_) => (limit.least.div_ceil(1_000), TIME_PATTERN),
            Self::Count(_) => (limit.least, "^[0-9]+$"),
        };
        json!({ "anyOf": [{ "type": "integer", "minimum": number }, text_schema(pattern)] })
    }
}

/// The limits a manifest gives.
#[derive(Default)]
pub(crate) struct Limits(Vec<(Slot, WrittenLimit)>);

impl Limits {
    /// Writes these limits into `limits` and leaves the others alone.
    pub(crate) fn apply(&self, limits: &mut ActorLimits) {
        for (slot, written) in &self.0 {
            slot.set(limits, written.value);
        }
    }

    /// They, as they were written.
    pub(crate) fn written(&self) -> Vec<WrittenLimit> {
        self.0.iter().map(|(_, written)| *written).collect()
    }
}

impl Form for Limits {
    fn schema() -> Json {
        let values = settable().map(|(limit, slot)| slot.schema(limit)).collect();
        object::schema("What the actor may use; the host's own limits win.", &keys(), values)
    }

    fn read(node: &Node, what: &str, problems: &mut Problems) -> Option<Self> {
        let keys = keys();
        let entries = Entries::open_with(node, what, "`limits`", (&keys, by_name), problems)?;
        let mut limits = Self::default();
        for (limit, slot) in settable() {
            let Some((what, node)) = entries.get(limit.key) else { continue };
            let value = slot.read(limit, (node, &what), problems);
            let written = |value| WrittenLimit { limit, value, span: node.span };
            limits.0.extend(value.map(|value| (slot, written(value))));
        }
        Some(limits)
    }

    fn absent() -> Option<Self> {
        Some(Self::default())
    }
}

/// What is meant by a limit's name, as errors and metrics print it.
fn by_name(name: &str) -> Option<String> {
    let names = || TABLE.iter().map(|limit| limit.name);
    let name = nearest(name, names())?;
    let limit = TABLE.iter().find(|limit| limit.name == name)?;
    Some(match limit.key.split_once('.') {
        Some((outer, key)) => format!("`{key}` under `{outer}` of the actor"),
        None => format!("`{}`", limit.key),
    })
}

fn settable() -> impl Iterator<Item = (&'static Limit, Slot)> {
    TABLE.iter().filter_map(|limit| Some((limit, Slot::of(limit.key)?)))
}

fn keys() -> Vec<Key> {
    let key = |(limit, slot): (&Limit, Slot)| Key {
        names: vec![limit.key],
        doc: format!("{}{}; default {}.", limit.name, slot.unit(limit), limit.written_default()),
        needed: false,
        nullable: true,
    };
    settable().map(key).collect()
}

/// The limit that a manifest sets by `instances: {max: …}`.
pub(crate) fn of_instances(value: u32, span: Span) -> Option<WrittenLimit> {
    let limit = TABLE.iter().find(|limit| limit.key == INSTANCES)?;
    Some(WrittenLimit { limit, value: value.into(), span })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_a_host_gives_at_most() {
        let caps = ActorLimits::caps();
        for (limit, slot) in settable() {
            let capped = |value: u64| {
                let mut limits = ActorLimits::default();
                slot.set(&mut limits, value);
                limits.capped_by(&caps) == limits
            };
            assert!(capped(limit.most) && !capped(limit.most + 1), "{}", limit.key);
            assert!((limit.least..=limit.most).contains(&limit.default), "{}", limit.key);
        }
        let instances = of_instances(1, Span::default()).expect("it has a row").limit;
        assert_eq!(instances.most, u64::from(caps.instances_max));
    }

    #[test]
    fn every_limit_of_the_table_can_be_written_and_keeps_its_unit() {
        for limit in TABLE.iter().filter(|limit| limit.key != INSTANCES) {
            let slot = Slot::of(limit.key).expect(limit.key);
            let mut limits = ActorLimits::default();
            slot.set(&mut limits, limit.default);
            assert_eq!(limits, ActorLimits::default(), "{}", limit.key);
            slot.set(&mut limits, limit.default + 1);
            assert_ne!(limits, ActorLimits::default(), "{}", limit.key);
        }
    }
}
