//! The table on standard output, and its JSON form.

use serde_json::{Value, json};

use crate::rounds::{Outcome, Series};
use crate::rows::{Goal, Unit};

const HEAD: [&str; 8] = ["row", "what", "ours", "peer", "ceiling", "ratio", "goal", "verdict"];

/// A Markdown table that can be pasted into docs/benchmarks.md.
pub(crate) fn text(outcomes: &[Outcome]) -> String {
    let mut lines = vec![HEAD.map(str::to_owned)];
    lines.extend(outcomes.iter().map(cells));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: [usize; HEAD.len()] = std::array::from_fn(|column| width(column).unwrap_or(0));
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        let padded = line.iter().zip(widths).map(|(cell, width)| format!(" {cell:width$} |"));
        text.push('|');
        text.extend(padded);
        text.push('\n');
        if number == 0 {
            text.push('|');
            text.extend(widths.map(|width| format!("{}|", "-".repeat(width + 2))));
            text.push('\n');
        }
    }
    text
}

/// Every number of every round.
pub(crate) fn json(outcomes: &[Outcome]) -> String {
    let rows: Vec<Value> = outcomes.iter().map(row).collect();
    format!("{:#}\n", json!({ "version": 1, "rows": rows }))
}

fn row(outcome: &Outcome) -> Value {
    let side = |series: &Series| {
        json!({
            "median": series.median(), "min": series.min(), "max": series.max(),
            "rounds": series.0,
        })
    };
    json!({
        "name": outcome.row.name,
        "what": outcome.row.what,
        "unit": unit(outcome.row.unit),
        "ours": side(&outcome.ours),
        "peer": outcome.peer.as_ref().map(side),
        "ceiling": outcome.ceiling.as_ref().map(side),
        "ratio": outcome.ratio(),
        "goal": goal(outcome),
        "reached": outcome.reached(),
    })
}

fn cells(outcome: &Outcome) -> [String; HEAD.len()] {
    let row = outcome.row;
    let side =
        |series: Option<&Series>| series.map_or_else(|| "-".to_owned(), |it| span(row.unit, it));
    let verdict = match outcome.reached() {
        None => "",
        Some(true) => "reached",
        Some(false) => "MISSED",
    };
    [
        row.name.to_owned(),
        row.what.to_owned(),
        side(Some(&outcome.ours)),
        side(outcome.peer.as_ref()),
        side(outcome.ceiling.as_ref()),
        outcome.ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")),
        goal(outcome),
        verdict.to_owned(),
    ]
}

/// The median, with the smallest and the largest value.
fn span(unit: Unit, series: &Series) -> String {
    let median = amount(unit, series.median());
    if series.0.len() < 2 {
        return median;
    }
    format!("{median} ({}..{})", amount(unit, series.min()), amount(unit, series.max()))
}

fn amount(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Nanoseconds if value < 1e3 => format!("{value:.0} ns"),
        Unit::Nanoseconds if value < 1e6 => format!("{:.2} us", value / 1e3),
        Unit::Nanoseconds => format!("{:.2} ms", value / 1e6),
        Unit::PerSecond => format!("{:.1}k/s", value / 1e3),
        Unit::Bytes => format!("{:.0} MiB", value / f64::from(1 << 20)),
    }
}

fn goal(outcome: &Outcome) -> String {
    match outcome.row.goal {
        Goal::None => String::new(),
        Goal::PeerAtMost(most) => format!("<= {most} x peer"),
        Goal::PeerAtLeast(least) => format!(">= {least} x peer"),
        Goal::CeilingAtMost(most) => format!("<= {most} x ceiling"),
        Goal::CeilingAtLeast(least) => format!(">= {least} x ceiling"),
        Goal::AtMost(most) => format!("<= {}", amount(outcome.row.unit, most)),
    }
}

const fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Nanoseconds => "ns",
        Unit::PerSecond => "requests/s",
        Unit::Bytes => "bytes",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::ROWS;

    #[test]
    fn the_table_is_markdown_with_a_verdict() {
        let row = ROWS.iter().find(|row| row.name == "warm-relay").expect("a row");
        let series = |value: f64| Series(vec![value, value * 2.0, value * 3.0]);
        let (peer, ceiling) = (Some(series(1_000.0)), Some(series(100.0)));
        let outcome = Outcome { row, ours: series(400.0), peer, ceiling };
        let text = text(&[outcome]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.chars().count() == lines[0].chars().count()));
        assert!(lines[2].contains("| 800 ns (400 ns..1.20 us) |"), "{text}");
        assert!(lines[2].contains("| 0.40") && lines[2].contains("| reached |"), "{text}");
    }
}
