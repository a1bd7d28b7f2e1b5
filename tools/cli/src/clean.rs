//! Text that may be anybody's, for a terminal.

/// The same text without what controls a terminal: that is shown, not obeyed.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect()
}
