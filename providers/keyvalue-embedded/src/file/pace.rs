//! How much one transaction takes on. On a full disk it must find its room in what is free within
//! the file, so that what frees space is done in small steps, each of which makes room for larger
//! ones.

/// After so many halvings every amount here is one.
const HALVINGS_MAX: u32 = 12;

/// How much one transaction takes on.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Pace {
    halvings: u32,
    /// How many transactions went well since the last halving, or its end.
    went_well: u32,
}

impl Pace {
    /// What to take on of that which is `most` when nothing is in the way; at least one.
    pub(super) fn of(self, most: usize) -> usize {
        (most >> self.halvings).max(1)
    }

    /// Takes on half as much from now on: false when there is no less.
    pub(super) fn slow_down(&mut self) -> bool {
        let halvings = (self.halvings + 1).min(HALVINGS_MAX);
        let is_slower = halvings > self.halvings;
        *self = Self { halvings, went_well: 0 };
        is_slower
    }

    /// Takes on twice as much again once about as much was done as is taken on at most: a try that
    /// fails costs more than one that is small.
    pub(super) fn goes_well(&mut self) {
        self.went_well += 1;
        if self.went_well >> self.halvings > 0 {
            *self = Self { halvings: self.halvings.saturating_sub(1), went_well: 0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_down_to_one_and_comes_back() {
        let mut pace = Pace::default();
        assert_eq!(pace.of(512), 512);
        assert!(pace.slow_down());
        assert_eq!(pace.of(512), 256);
        while pace.slow_down() {}
        assert_eq!((pace.of(4_096), pace.of(512)), (1, 1));
        for _ in 0..8_192 {
            pace.goes_well();
        }
        assert_eq!(pace.of(512), 512);
    }
}
