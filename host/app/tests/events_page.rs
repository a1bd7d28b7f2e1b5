//! The page of events has all types of events, and no others.

use std::collections::BTreeSet;

use trellis_control::Event;

#[test]
fn every_type_is_on_the_page() {
    let page = include_str!("../../../docs/events.md");
    let row = |line: &'static str| line.strip_prefix("| `")?.split('`').next();
    let listed: BTreeSet<_> =
        page.lines().filter_map(row).filter(|it| it.starts_with("io.trellis.")).collect();
    assert_eq!(listed, BTreeSet::from(Event::TYPES));
}
