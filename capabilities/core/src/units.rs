//! Durations and sizes as people write them, read the same way everywhere.

use std::time::Duration;

/// Reads `250ms`, `5s`, `2m`, `1h`; a bare number is seconds.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = split_number(text)?;
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(milliseconds).map(Duration::from_millis)
}

/// Reads `512`, `16KiB`, `64MiB`, `1GiB` (and `KB`, `MB`, `GB` in thousands) as bytes.
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = split_number(text)?;
    let bytes: u64 = match unit {
        "" | "B" => 1,
        "KB" | "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(bytes)
}

/// A time as [`parse_duration`] reads it, in the largest unit in which it is whole.
#[must_use]
pub fn written_duration(milliseconds: u64) -> String {
    written(milliseconds, &[(3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")])
}

/// A size as [`parse_size`] reads it, in the largest unit of two's powers in which it is whole.
#[must_use]
pub fn written_size(bytes: u64) -> String {
    written(bytes, &[(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B")])
}

fn written(number: u64, units: &[(u64, &str)]) -> String {
    let whole = units.iter().find(|(size, _)| number > 0 && number.is_multiple_of(*size));
    match whole.or(units.last()) {
        Some((size, unit)) => format!("{}{unit}", number / size),
        None => number.to_string(),
    }
}

fn split_number(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    Some((digits.parse().ok()?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_read() {
        assert_eq!(parse_duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse_duration("5"), Some(Duration::from_secs(5)));
        assert_eq!(parse_duration("2 m"), Some(Duration::from_secs(120)));
        assert_eq!(parse_size("64MiB"), Some(64 << 20));
        assert_eq!(parse_size("16 kB"), Some(16_000));
        for (time, text) in [(0, "0ms"), (250, "250ms"), (5_000, "5s"), (90_000, "90s")] {
            assert_eq!(written_duration(time), text);
            assert_eq!(parse_duration(text), Some(Duration::from_millis(time)));
        }
        for (size, text) in [(0, "0B"), (256, "256B"), (8 << 10, "8KiB"), (17 << 20, "17MiB")] {
            assert_eq!(written_size(size), text);
            assert_eq!(parse_size(text), Some(size));
        }
        for wrong in ["", "s", "5x", "-1s", "99999999999999999999s", "1.5s"] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
            assert_eq!(parse_size(wrong), None, "{wrong}");
        }
    }
}
