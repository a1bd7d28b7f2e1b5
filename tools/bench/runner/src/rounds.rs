//! Rounds: all sides of a row in turn, several times.

use std::time::Duration;

use anyhow::Result;

use crate::places::Places;
use crate::rows::{Goal, Row};
use crate::source;

/// The results of one side, one number per round.
#[derive(Clone, Default)]
pub(crate) struct Series(pub(crate) Vec<f64>);

/// The results of all sides of a row.
pub(crate) struct Outcome {
    pub(crate) row: &'static Row,
    pub(crate) ours: Series,
    pub(crate) peer: Option<Series>,
    pub(crate) ceiling: Option<Series>,
}

/// Measures a row. The first round fills caches and is discarded, unless it is the only one.
pub(crate) fn measure(
    row: &'static Row,
    places: &Places,
    rounds: usize,
    longest: Duration,
) -> Result<Outcome> {
    let open = |side| source::open(row, side, places);
    let mut sources = [
        Some(open(row.ours)?),
        row.peer.map(open).transpose()?,
        row.ceiling.map(open).transpose()?,
    ];
    let mut series: [Series; 3] = Default::default();
    let warm_up = usize::from(rounds > 1);
    for round in 0..rounds + warm_up {
        for (source, series) in sources.iter_mut().zip(&mut series) {
            let Some(source) = source else { continue };
            let value = source.measure(longest)?;
            if round >= warm_up {
                series.0.push(value);
            }
        }
    }
    let [ours, peer, ceiling] = series;
    Ok(Outcome { row, ours, peer: row.peer.map(|_| peer), ceiling: row.ceiling.map(|_| ceiling) })
}

impl Series {
    /// The middle value.
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match sorted.len() {
            0 => f64::NAN,
            count if count % 2 == 1 => sorted[middle],
            _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
        }
    }

    /// The smallest value.
    pub(crate) fn min(&self) -> f64 {
        self.0.iter().copied().fold(f64::NAN, f64::min)
    }

    /// The largest value.
    pub(crate) fn max(&self) -> f64 {
        self.0.iter().copied().fold(f64::NAN, f64::max)
    }

    /// This series divided by `other`, round by round.
    fn over(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(ours, theirs)| ours / theirs).collect())
    }
}

impl Outcome {
    /// Our result divided by the one in the goal: the peer's, or the ceiling's if there is no peer.
    pub(crate) fn ratio(&self) -> Option<f64> {
        let other = match self.row.goal {
            Goal::CeilingAtLeast(_) | Goal::CeilingAtMost(_) => self.ceiling.as_ref(),
            _ => self.peer.as_ref().or(self.ceiling.as_ref()),
        };
        other.map(|other| self.ours.over(other).median())
    }

    /// Whether the goal is reached; `None` when there is none.
    pub(crate) fn reached(&self) -> Option<bool> {
        let ratio = self.ratio().unwrap_or(f64::NAN);
        match self.row.goal {
            Goal::None => None,
            Goal::PeerAtMost(most) | Goal::CeilingAtMost(most) => Some(ratio <= most),
            Goal::PeerAtLeast(least) | Goal::CeilingAtLeast(least) => Some(ratio >= least),
            Goal::AtMost(most) => Some(self.ours.median() <= most),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::ROWS;

    fn outcome(name: &str, ours: &[f64], other: &[f64]) -> Outcome {
        let row = ROWS.iter().find(|row| row.name == name).expect("a row");
        let other = Some(Series(other.to_vec()));
        Outcome { row, ours: Series(ours.to_vec()), peer: other.clone(), ceiling: other }
    }

    #[test]
    fn the_median_stands_in_the_middle() {
        assert_eq!(Series(vec![3.0, 1.0, 2.0]).median(), 2.0);
        assert_eq!(Series(vec![4.0, 1.0, 2.0, 3.0]).median(), 2.5);
        assert_eq!((Series(vec![3.0, 1.0]).min(), Series(vec![3.0, 1.0]).max()), (1.0, 3.0));
    }

    #[test]
    fn a_ratio_is_taken_within_rounds() {
        // The machine was ten times slower in the second round, for both sides.
        let paired = outcome("warm-relay", &[40.0, 400.0, 40.0], &[100.0, 1_000.0, 100.0]);
        assert_eq!(paired.ratio(), Some(0.4));
        assert_eq!(paired.reached(), Some(true));
    }

    #[test]
    fn goals_point_the_right_way() {
        assert_eq!(outcome("http-hello-warm", &[79.0], &[100.0]).reached(), Some(false));
        assert_eq!(outcome("http-hello-warm", &[81.0], &[100.0]).reached(), Some(true));
        assert_eq!(outcome("http-hello-p99", &[201.0], &[100.0]).reached(), Some(false));
        assert_eq!(outcome("entitlement-check", &[50.0], &[1.0]).reached(), Some(true));
        assert_eq!(outcome("warm-echo", &[1.0], &[1.0]).reached(), None);
    }
}
