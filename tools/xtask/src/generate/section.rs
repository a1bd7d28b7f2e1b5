//! The generated part of a file that is otherwise written by hand, between two comment lines.

use anyhow::{Context, Result, ensure};

/// What the first line holds; the rest of it says from what the part is made.
const BEGIN: &str = "-- generated from ";
/// What the last line holds.
const END: &str = "-- end of generated --";

/// The text with `part` between its markers.
///
/// # Errors
/// When the text has not exactly one pair of markers.
pub(super) fn replaced(text: &str, part: &str) -> Result<String> {
    let begin = line_with(text, BEGIN)?;
    let end = line_with(text, END)?;
    ensure!(begin.1 <= end.0, "`{END}` stands above `{BEGIN}…`");
    Ok([&text[..begin.1], part, &text[end.0..]].concat())
}

/// Where the one line that holds `mark` begins and ends, its line break included.
fn line_with(text: &str, mark: &str) -> Result<(usize, usize)> {
    let mut at = text.match_indices(mark).map(|(at, _)| at);
    let found = at.next().with_context(|| format!("no line with `{mark}`"))?;
    ensure!(at.next().is_none(), "two lines with `{mark}`");
    let start = text[..found].rfind('\n').map_or(0, |at| at + 1);
    let end = text[found..].find('\n').map_or(text.len(), |at| found + at + 1);
    Ok((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let text = "a\n# -- generated from x by y --\nold\nold\n# -- end of generated --\nb\n";
        let wanted = "a\n# -- generated from x by y --\nnew\n# -- end of generated --\nb\n";
        assert_eq!(replaced(text, "new\n").expect("one section"), wanted);
        assert_eq!(replaced(wanted, "new\n").expect("one section"), wanted);
    }

    #[test]
    fn a_file_without_its_markers_is_an_error() {
        for text in ["", "# -- generated from x --\n", "-- end of generated --\n"] {
            assert!(replaced(text, "").is_err(), "{text:?}");
        }
        let turned = "# -- end of generated --\n# -- generated from x --\n";
        assert!(replaced(turned, "").is_err());
    }
}
