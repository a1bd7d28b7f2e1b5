//! Levels: numbers on the wire, names in guests of 2021.

use std::fmt;

use trellis_core::generated::serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// How grave a line is. Written as a number, read from a number or a name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    /// Something failed.
    Error = 1,
    /// Something is not as it should be.
    Warn = 2,
    /// Something worth knowing happened.
    Info = 3,
    /// For whoever looks for a fault.
    Debug = 4,
    /// Every step.
    Trace = 5,
}

impl Serialize for Level {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(*self as u32)
    }
}

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LevelVisitor)
    }
}

struct LevelVisitor;

impl de::Visitor<'_> for LevelVisitor {
    type Value = Level;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a level from 1 (error) to 5 (trace), or its name")
    }

    fn visit_u64<E>(self, number: u64) -> Result<Level, E> {
        Ok(match number {
            0 | 1 => Level::Error,
            2 => Level::Warn,
            3 => Level::Info,
            4 => Level::Debug,
            _ => Level::Trace,
        })
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Level, E> {
        self.visit_u64(number.try_into().unwrap_or(0))
    }

    fn visit_str<E>(self, name: &str) -> Result<Level, E> {
        let is = |names: &[&str]| names.iter().any(|other| name.eq_ignore_ascii_case(other));
        Ok(if is(&["error", "critical"]) {
            Level::Error
        } else if is(&["warn", "warning"]) {
            Level::Warn
        } else if is(&["debug"]) {
            Level::Debug
        } else if is(&["trace"]) {
            Level::Trace
        } else {
            Level::Info
        })
    }
}
