//! Wall time as access logs write it, in UTC.

use std::time::{Duration, SystemTime};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A date and a time of day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Moment {
    year: u64,
    /// From 1.
    month: u64,
    day: u64,
    second_of_day: u64,
    millisecond: u32,
}

impl Moment {
    /// A time before 1970 counts as its start.
    pub(crate) fn of(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let (days, second_of_day) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
        // Counted from 1 March of year 0, so that a leap day ends its year. An era is 400 years.
        // Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
        let days = days + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let leaps = day_of_era / 1_460 + day_of_era / 146_096 - day_of_era / 36_524;
        let year_of_era = (day_of_era - leaps) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        Self { year, month, day, second_of_day, millisecond: since.subsec_millis() }
    }

    /// `10/Oct/2000:13:55:36 +0000`, as in the Common Log Format.
    pub(crate) fn common(&self) -> String {
        let month = usize::try_from(self.month - 1).ok().and_then(|index| MONTHS.get(index));
        let (hour, minute, second) = self.time();
        let (day, month, year) = (self.day, month.unwrap_or(&"-"), self.year);
        format!("{day:02}/{month}/{year}:{hour:02}:{minute:02}:{second:02} +0000")
    }

    /// `2000-10-10T13:55:36.123Z` (RFC 3339).
    pub(crate) fn rfc3339(&self) -> String {
        let Self { year, month, day, millisecond, .. } = *self;
        let (hour, minute, second) = self.time();
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
    }

    const fn time(&self) -> (u64, u64, u64) {
        let second = self.second_of_day;
        (second / 3_600, second / 60 % 60, second % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right_around_leap_days_and_centuries() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (951_868_800, "2000-03-01T00:00:00.000Z"),
            (1_709_164_800, "2024-02-29T00:00:00.000Z"),
            (1_767_225_599, "2025-12-31T23:59:59.000Z"),
            (4_107_542_399, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(Moment::of(time).rfc3339(), expected);
        }
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(971_186_136);
        assert_eq!(Moment::of(time).common(), "10/Oct/2000:13:55:36 +0000");
    }
}
