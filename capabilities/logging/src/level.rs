//! Levels: numbers on the wire, names in guests of 2021.

use std::fmt;

use trellis_core::generated::serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use trellis_core::wire::reader::{Malformed, Reader};
use trellis_core::wire::{Decode, Encode, writer};

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

impl Level {
    /// The nearest level.
    fn of_number(number: u64) -> Self {
        match number {
            0 | 1 => Self::Error,
            2 => Self::Warn,
            3 => Self::Info,
            4 => Self::Debug,
            _ => Self::Trace,
        }
    }

    fn of_name(name: &[u8]) -> Self {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        if is("error") || is("critical") {
            Self::Error
        } else if is("warn") || is("warning") {
            Self::Warn
        } else if is("debug") {
            Self::Debug
        } else if is("trace") {
            Self::Trace
        } else {
            Self::Info
        }
    }
}

impl Encode for Level {
    fn write(&self, out: &mut Vec<u8>) {
        writer::unsigned(out, *self as u64);
    }
}

impl Decode for Level {
    fn read(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        match input.try_bytes()? {
            Some(name) => Ok(Self::of_name(name)),
            None => input.unsigned().map(Self::of_number),
        }
    }
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
        Ok(Level::of_number(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Level, E> {
        Ok(Level::of_number(number.try_into().unwrap_or(0)))
    }

    fn visit_str<E>(self, name: &str) -> Result<Level, E> {
        Ok(Level::of_name(name.as_bytes()))
    }
}
