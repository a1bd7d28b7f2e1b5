//! Lists for people: one line each, in columns.

use std::fmt::Write as _;

use crate::clean::clean;

/// Space between two columns.
const GAP: &str = "  ";

/// A list in columns. What the first of them says is a line's name.
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

/// One column.
struct Column {
    title: &'static str,
    /// It is shown only when there is room.
    wide: bool,
}

impl Table {
    /// A table without lines: of columns that are always shown, and of those for `-o wide`.
    pub(crate) fn new(narrow: &[&'static str], wide: &[&'static str]) -> Self {
        let column = |wide| move |title: &&'static str| Column { title, wide };
        let columns = narrow.iter().map(column(false)).chain(wide.iter().map(column(true)));
        Self { columns: columns.collect(), rows: Vec::new() }
    }

    /// Adds a line, with a cell for each column.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        // An empty cell would shift what a program that splits the line sees.
        let cell = |text: String| if text.is_empty() { "-".to_owned() } else { clean(&text) };
        self.rows.push(cells.into_iter().map(cell).collect());
    }

    /// The table below its titles.
    pub(crate) fn text(&self, wide: bool) -> String {
        let shown = self.columns.iter().enumerate().filter(|(_, column)| wide || !column.wide);
        let shown: Vec<_> = shown.map(|(place, column)| (place, column.title)).collect();
        let width = |(place, title): (usize, &str)| {
            let cells = self.rows.iter().map(|row| row[place].chars().count());
            cells.chain([title.chars().count()]).max().unwrap_or_default()
        };
        let widths: Vec<_> = shown.iter().copied().map(width).collect();
        let mut text = String::new();
        let mut line = |cells: Vec<&str>| {
            let cells = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            // Writing to a text cannot fail.
            let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join(GAP).trim_end());
        };
        line(shown.iter().map(|(_, title)| *title).collect());
        for row in &self.rows {
            line(shown.iter().map(|(place, _)| &*row[*place]).collect());
        }
        text
    }

    /// The name of each line, a line each.
    pub(crate) fn names(&self) -> String {
        let names = self.rows.iter().filter_map(|row| row.first());
        names.map(|name| format!("{name}\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_one_another_and_names_alone() {
        let mut table = Table::new(&["NAME", "STATE"], &["KEY"]);
        table.row(["a".into(), "ready".into(), "M1".into()]);
        table.row(["longer\u{1b}[2J".into(), String::new(), "M2".into()]);
        let narrow = "NAME             STATE\na                ready\nlonger\\u{1b}[2J  -\n";
        assert_eq!(table.text(false), narrow);
        assert!(table.text(true).starts_with("NAME"), "{}", table.text(true));
        assert!(table.text(true).contains("M2") && !table.text(false).contains("M2"));
        assert_eq!(table.names(), "a\nlonger\\u{1b}[2J\n");
    }
}
