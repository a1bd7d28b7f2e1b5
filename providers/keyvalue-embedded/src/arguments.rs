//! What the arguments of operations mean.

use std::ops::Range;

/// The positions from `start` to `stop`, both included, of a list with `len` items. Negative ones
/// count from the end (-1 is the last item); what lies outside the list is left out.
pub(crate) fn span(start: i32, stop: i32, len: usize) -> Range<usize> {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let from_front = |at: i32| if at < 0 { i64::from(at) + len } else { i64::from(at) };
    let first = from_front(start).clamp(0, len);
    let after_last = (from_front(stop) + 1).clamp(first, len);
    let position = |at: i64| usize::try_from(at).unwrap_or_default();
    position(first)..position(after_last)
}

/// Each key once: a set united with itself is itself, and need not be read again.
pub(crate) fn distinct(mut keys: Vec<String>) -> Vec<String> {
    keys.sort_unstable();
    keys.dedup();
    keys
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn positions_are_inclusive_count_from_both_ends_and_never_leave_the_list() {
        for (start, stop, expected) in [
            (0, -1, 0..5),
            (0, 0, 0..1),
            (1, 3, 1..4),
            (-2, -1, 3..5),
            (-100, 100, 0..5),
            (3, 1, 3..3),
            (5, 9, 5..5),
            (0, -6, 0..0),
            (i32::MIN, i32::MAX, 0..5),
            (i32::MAX, i32::MIN, 5..5),
        ] {
            assert_eq!(span(start, stop, 5), expected, "{start}..{stop}");
        }
        assert_eq!(span(0, -1, 0), 0..0);
    }
}
