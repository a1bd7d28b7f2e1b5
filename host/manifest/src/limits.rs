//! `limits:` of an actor: every key of [`trellis_limits::TABLE`], with its unit.

use std::time::Duration;

use serde_json::{Value as Json, json};
use trellis_core::nearest;
use trellis_core::units::{parse_duration, parse_size};
use trellis_limits::{ActorLimits, Limit, TABLE};

use crate::form::{Form, SIZE_PATTERN, TIME_PATTERN, parsed, text_schema, whole_number};
use crate::object::{self, Entries, Key};
use crate::report::Problems;
use crate::tree::Node;

/// Where a limit is kept, which also decides its unit.
#[derive(Clone, Copy)]
enum Slot {
    Size(fn(&mut ActorLimits) -> &mut u64),
    /// A size that cannot exceed a guest's 32-bit memory.
    Size32(fn(&mut ActorLimits) -> &mut u32),
    Time(fn(&mut ActorLimits) -> &mut Duration),
    /// A number from `.0` up; with less no call could be made at all.
    Count(u32, fn(&mut ActorLimits) -> &mut u32),
}

impl Slot {
    /// The place of the limit that a manifest calls `key`.
    fn of(key: &str) -> Option<Self> {
        Some(match key {
            "module_bytes" => Self::Size(|limits| &mut limits.module_bytes_max),
            "module_functions" => Self::Count(1, |limits| &mut limits.module_functions_max),
            "module_locals" => Self::Count(0, |limits| &mut limits.module_locals_max),
            "compile_time" => Self::Time(|limits| &mut limits.compile_time_max),
            "compile_memory" => Self::Size(|limits| &mut limits.compile_memory_bytes_max),
            "memory" => Self::Size(|limits| &mut limits.memory_bytes_max),
            "table_elements" => Self::Count(0, |limits| &mut limits.table_elements_max),
            "call_time" => Self::Time(|limits| &mut limits.call_time_max),
            "init_time" => Self::Time(|limits| &mut limits.init_time_max),
            "call_depth" => Self::Count(1, |limits| &mut limits.call_depth_max),
            "payload_bytes" => Self::Size32(|limits| &mut limits.payload_bytes_max),
            "name_bytes" => Self::Size32(|limits| &mut limits.name_bytes_max),
            "queue" => Self::Count(0, |limits| &mut limits.queue_max),
            "host_calls_per_call" => Self::Count(0, |limits| &mut limits.host_calls_per_call_max),
            "log_lines_per_s" => Self::Count(0, |limits| &mut limits.log_lines_per_s),
            "log_line_bytes" => Self::Size32(|limits| &mut limits.log_line_bytes_max),
            _ => return None,
        })
    }

    /// Reads a value for this place; times are in milliseconds.
    fn read(self, node: &Node, what: &str, problems: &mut Problems) -> Option<u64> {
        match self {
            Self::Size(_) => {
                let form = "a size from 1 byte, such as `512KiB` or `64MiB`";
                parsed(node, what, form, problems, |text| parse_size(text).filter(|it| *it > 0))
            }
            Self::Size32(_) => {
                let form = "a size from 1 byte to below 4GiB, such as `8KiB` or `16MiB`";
                let fits = |bytes: &u64| (1..=u64::from(u32::MAX)).contains(bytes);
                parsed(node, what, form, problems, |text| parse_size(text).filter(fits))
            }
            Self::Time(_) => {
                let form = "a time from 1ms, such as `500ms`, `5s` or `1m`";
                let read = |text: &str| u64::try_from(parse_duration(text)?.as_millis()).ok();
                parsed(node, what, form, problems, |text| read(text).filter(|it| *it > 0))
            }
            Self::Count(min, _) => {
                let form = format!("a whole number from {min} to {}", u32::MAX);
                let read = |text: &str| whole_number(text).filter(|number| *number >= min);
                parsed(node, what, &form, problems, read).map(u64::from)
            }
        }
    }

    /// The unit of a bare number, after the limit's name.
    fn unit(self, limit: &Limit) -> String {
        match self {
            Self::Time(_) => " (a time; a bare number is seconds)".to_owned(),
            Self::Size(_) | Self::Size32(_) => " (a size; a bare number is bytes)".to_owned(),
            Self::Count(..) => format!(", in {}", limit.unit),
        }
    }

    fn set(self, limits: &mut ActorLimits, value: u64) {
        // `read` has checked that the value fits.
        let narrow = u32::try_from(value).unwrap_or(u32::MAX);
        match self {
            Self::Size(place) => *place(limits) = value,
            Self::Time(place) => *place(limits) = Duration::from_millis(value),
            Self::Size32(place) | Self::Count(_, place) => *place(limits) = narrow,
        }
    }

    fn schema(self) -> Json {
        let (number, pattern) = match self {
            Self::Size(_) | Self::Size32(_) => (1, SIZE_PATTERN),
            Self::Time(_) => (1, TIME_PATTERN),
            Self::Count(min, _) => (min, "^[0-9]+$"),
        };
        json!({ "anyOf": [{ "type": "integer", "minimum": number }, text_schema(pattern)] })
    }
}

/// The limits a manifest gives.
#[derive(Default)]
pub(crate) struct Limits(Vec<(Slot, u64)>);

impl Limits {
    /// Writes these limits into `limits` and leaves the others alone.
    pub(crate) fn apply(&self, limits: &mut ActorLimits) {
        for (slot, value) in &self.0 {
            slot.set(limits, *value);
        }
    }
}

impl Form for Limits {
    fn schema() -> Json {
        let values = settable().map(|(_, slot)| slot.schema()).collect();
        object::schema("What the actor may use; the host's own limits win.", &keys(), values)
    }

    fn read(node: &Node, what: &str, problems: &mut Problems) -> Option<Self> {
        let keys = keys();
        let entries = Entries::open_with(node, what, "`limits`", (&keys, by_name), problems)?;
        let mut limits = Self::default();
        for (limit, slot) in settable() {
            let value =
                entries.get(limit.key).and_then(|(what, node)| slot.read(node, &what, problems));
            limits.0.extend(value.map(|value| (slot, value)));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_of_the_table_can_be_written_and_keeps_its_unit() {
        for limit in TABLE.iter().filter(|limit| limit.key != "instances.max") {
            let slot = Slot::of(limit.key).expect(limit.key);
            let mut limits = ActorLimits::default();
            slot.set(&mut limits, limit.default);
            assert_eq!(limits, ActorLimits::default(), "{}", limit.key);
            slot.set(&mut limits, limit.default + 1);
            assert_ne!(limits, ActorLimits::default(), "{}", limit.key);
        }
    }
}
