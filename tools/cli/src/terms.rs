//! What every signature says besides: for how long it holds, and which release it is.

use clap::Args;

use crate::failure::Failure;

/// Most days from now that claims may begin or end: a hundred years.
const DAYS_MAX: u32 = 36_500;
const DAY_S: u64 = 24 * 60 * 60;

/// For how long claims hold.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Lifetime {
    /// The claims end this many days from now, at the end of that day (UTC); without it, never.
    #[arg(short = 'x', long = "expires", alias = "expires-in-days", value_name = "DAYS")]
    #[arg(value_parser = expires_days, allow_negative_numbers = true)]
    pub(crate) expires_days: Option<u32>,

    /// The claims begin this many days from now, when that day begins (UTC); without it, at once.
    #[arg(short = 'b', long = "nbf", alias = "not-before", value_name = "DAYS")]
    #[arg(value_parser = not_before_days, allow_negative_numbers = true)]
    pub(crate) not_before_days: Option<u32>,
}

/// When claims begin and end, in seconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) not_before: Option<u64>,
    pub(crate) expires: Option<u64>,
}

impl Lifetime {
    /// When the claims begin and end; `now` is in seconds since 1970.
    ///
    /// Days begin and end at midnight UTC, so that signing twice on one day gives the same claims.
    ///
    /// # Errors
    /// When they would end before they begin.
    pub(crate) fn window(&self, now: u64) -> Result<Window, Failure> {
        if let (Some(end), Some(begin)) = (self.expires_days, self.not_before_days)
            && begin > end
        {
            let message = format!("--nbf {begin} begins after --expires {end} has ended");
            let cure = "Give --expires as many days as --nbf, or more.";
            return Err(Failure::usage(message).cure(cure));
        }
        let today = now - now % DAY_S;
        let days = |days: u32| today.saturating_add(u64::from(days) * DAY_S);
        Ok(Window {
            not_before: self.not_before_days.map(days),
            expires: self.expires_days.map(|end| days(end.saturating_add(1))),
        })
    }
}

/// A revision, as an option of the command line.
///
/// # Errors
/// What it must be.
pub(crate) fn revision(text: &str) -> Result<i32, String> {
    let revision = text.parse().ok();
    revision.ok_or_else(|| {
        format!(
            "a revision is a whole number, {} at most, that grows with every release, such as 1, \
             2, 3; a version for people is `--ver {text}`",
            i32::MAX
        )
    })
}

fn expires_days(text: &str) -> Result<u32, String> {
    match days(text)? {
        0 => Err(format!(
            "claims have to hold for a day at least: give 1 to {DAYS_MAX} days, or leave --expires \
             out for claims that never end"
        )),
        days => Ok(days),
    }
}

fn not_before_days(text: &str) -> Result<u32, String> {
    days(text)
}

fn days(text: &str) -> Result<u32, String> {
    let days = text.parse().ok().filter(|days| *days <= DAYS_MAX);
    days.ok_or_else(|| format!("give a whole number of days, {DAYS_MAX} at most"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser, Debug)]
    struct Line {
        #[command(flatten)]
        lifetime: Lifetime,
    }

    #[test]
    fn days_are_whole_and_within_a_century() {
        let days = |line: &str| {
            let words = std::iter::once("sign").chain(line.split(' '));
            let line = Line::try_parse_from(words).map_err(|error| error.to_string());
            line.map(|line| line.lifetime)
        };
        assert_eq!(days("-x 1").expect("a day").expires_days, Some(1));
        assert_eq!(days("-x 36500 -b 0").expect("a century").not_before_days, Some(0));
        for (line, said) in [
            ("-x 0", "never end"),
            ("-x -1", "whole number of days"),
            ("-x 36501", "36500 at most"),
            ("-x 1.5", "whole number of days"),
            ("-x 99999999999999999999", "whole number of days"),
            ("-b -1", "whole number of days"),
            ("-b soon", "whole number of days"),
        ] {
            let error = days(line).expect_err(line);
            assert!(error.contains(said), "{line}: {error}");
        }
    }
}
