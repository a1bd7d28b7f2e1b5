//! Times of claims, for people.

use trellis_claims::Clock;

const MINUTE_S: u64 = 60;
const HOUR_S: u64 = 60 * MINUTE_S;
const DAY_S: u64 = 24 * HOUR_S;

/// The time window of claims, in words.
pub(crate) struct Window {
    /// When they end: `never`, `in 3 days`, `2 hours ago`.
    pub(crate) expires: String,
    /// When they begin: `immediately`, `in 3 days`, `2 hours ago`.
    pub(crate) not_before: String,
}

/// The window of claims that hold from `not_before` until `expires`, as it looks now.
pub(crate) fn window(not_before: Option<u64>, expires: Option<u64>, clock: &dyn Clock) -> Window {
    let now = clock.now_unix_s();
    let words = |moment: Option<u64>, none: &str| {
        moment.map_or_else(|| none.to_owned(), |moment| relative(moment, now))
    };
    Window { expires: words(expires, "never"), not_before: words(not_before, "immediately") }
}

/// A moment as people say it, in its largest whole unit.
pub(crate) fn relative(moment: u64, now: u64) -> String {
    let distance = moment.abs_diff(now);
    let (count, unit) = match distance {
        0 => return "now".to_owned(),
        s if s < MINUTE_S => (s, "second"),
        s if s < HOUR_S => (s / MINUTE_S, "minute"),
        s if s < 2 * DAY_S => (s / HOUR_S, "hour"),
        s => (s / DAY_S, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    if moment > now {
        format!("in {count} {unit}{plural}")
    } else {
        format!("{count} {unit}{plural} ago")
    }
}

#[cfg(test)]
mod tests {
    use super::relative;

    #[test]
    fn moments_are_said_in_their_largest_unit() {
        for (moment, words) in [
            (1_000_000, "now"),
            (1_000_001, "in 1 second"),
            (999_941, "59 seconds ago"),
            (999_940, "1 minute ago"),
            (1_003_600, "in 1 hour"),
            (1_086_400, "in 24 hours"),
            (1_864_000, "in 10 days"),
            (0, "11 days ago"),
            (u64::MAX, "in 213503982334589 days"),
        ] {
            assert_eq!(relative(moment, 1_000_000), words);
        }
    }
}
