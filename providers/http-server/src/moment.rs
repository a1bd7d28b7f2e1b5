//! Wall time as access logs write it, in UTC.

use std::time::{Duration, SystemTime};

use trellis_core::date::Date;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A date and a time of day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Moment {
    date: Date,
    millisecond: u32,
}

impl Moment {
    /// A time before 1970 counts as its start.
    pub(crate) fn of(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self { date: Date::of_unix_s(since.as_secs()), millisecond: since.subsec_millis() }
    }

    /// `10/Oct/2000:13:55:36 +0000`, as in the Common Log Format.
    pub(crate) fn common(&self) -> String {
        let Date { year, month, day, hour, minute, second } = self.date;
        let month = usize::try_from(month - 1).ok().and_then(|index| MONTHS.get(index));
        let month = month.unwrap_or(&"-");
        format!("{day:02}/{month}/{year}:{hour:02}:{minute:02}:{second:02} +0000")
    }

    /// `2000-10-10T13:55:36.123Z` (RFC 3339).
    pub(crate) fn rfc3339(&self) -> String {
        let Date { year, month, day, hour, minute, second } = self.date;
        let millisecond = self.millisecond;
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_logs_write_it() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(971_186_136_007);
        assert_eq!(Moment::of(time).rfc3339(), "2000-10-10T13:55:36.007Z");
        assert_eq!(Moment::of(time).common(), "10/Oct/2000:13:55:36 +0000");
    }
}
