//! `trellis history`: what changed of what a host is to run.

use std::collections::BTreeSet;

use clap::Args;
use trellis_claims::{Clock, SystemClock};
use trellis_control::{Answer, ChangedBy, Edits, Revision};

use super::get::odd;
use super::host::HostChoice;
use super::inspect::relative;
use super::known::check_known;
use super::live;
use super::runtime;
use crate::failure::Failure;
use crate::output::Output;
use crate::table::Table;

#[derive(Args, Debug)]
#[command(after_help = "\
The last 20 changes since the host started are known, the oldest first, and earlier ones that are
under way, or were until lately. What is wanted now is marked as in force: the manifest, and the
edits that are laid over it. `taken_back` is what the host undid, a rollback that could not be had
among them.
Exit codes: 0 listed, 2 several hosts run, 3 no such host, actor or provider, 4 the host is another
user's, 5 no host answers.")]
pub(crate) struct HistoryArgs {
    /// Only those in which this actor or provider changed.
    #[arg(add = live::components())]
    name: Option<String>,
    #[command(flatten)]
    host: HostChoice,
}

pub(crate) fn run(args: &HistoryArgs, output: Output) -> Result<(), Failure> {
    let (history, edits) = runtime::block_on(async {
        let client = args.host.client(output).await?;
        // First: what is made in between is not marked, rather than what has gone.
        let Answer::Edits(edits) = client.get(&["edits"]).await? else { return Err(odd()) };
        let Answer::History(history) = client.get(&["history"]).await? else { return Err(odd()) };
        let edits = in_force(&edits, &history);
        let is_meant = |it: &Revision| args.name.as_ref().is_none_or(|name| concerns(it, name));
        let history: Vec<_> = history.into_iter().filter(is_meant).collect();
        if let Some(name) = args.name.as_ref().filter(|_| history.is_empty()) {
            check_known(&client, name).await?;
        }
        Ok((history, edits))
    })?;
    let table = table(&history, &edits);
    output.list(&Answer::History(history), &table)
}

/// True when a change says something of what has that name.
fn concerns(revision: &Revision, name: &str) -> bool {
    let mut texts = revision.subject.iter().chain(&revision.what);
    let words = |text: &str| text.split([' ', ',']).any(|word| word == name);
    texts.any(|text| words(text))
}

/// The revisions of which something is in force: of each edit, and of the manifest.
fn in_force(edits: &Edits, history: &[Revision]) -> BTreeSet<u64> {
    let manifest = history.iter().filter(|it| it.by == ChangedBy::Manifest);
    let manifest = manifest.map(|it| it.revision).max();
    edits.edits.iter().map(|edit| edit.revision).chain(manifest).collect()
}

/// What came of a change, and whether it is what is wanted now.
fn outcome(it: &Revision, in_force: &BTreeSet<u64>) -> String {
    let mark = if in_force.contains(&it.revision) { " (in force)" } else { "" };
    format!("{}{mark}", it.outcome)
}

fn table(history: &[Revision], in_force: &BTreeSet<u64>) -> Table {
    let columns = ["REVISION", "WHEN", "BY", "OUTCOME", "WHAT", "WHY"];
    let mut table = Table::new(&columns, &["WHO", "VERSION", "CALLS"]);
    let now = SystemClock.now_unix_s();
    let none = || "-".to_owned();
    for it in history {
        let more = if it.more > 0 { format!(" and {} more", it.more) } else { String::new() };
        table.row([
            it.revision.to_string(),
            relative(it.at_unix_s, now),
            it.by.to_string(),
            outcome(it, in_force),
            format!("{}{more}", it.what.join(", ")),
            it.why.clone().unwrap_or_else(|| it.seen.map_or_else(none, |seen| seen.to_string())),
            it.who.clone().unwrap_or_else(none),
            it.version.clone().unwrap_or_else(none),
            it.seen.map_or_else(none, |seen| format!("{} ({} failed)", seen.calls, seen.failed)),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use trellis_control::{ComponentKind, EditEntry, RevisionOutcome};

    use super::*;

    fn revision(revision: u64, by: ChangedBy, outcome: RevisionOutcome) -> Revision {
        Revision {
            revision,
            at_unix_s: 0,
            by,
            who: None,
            subject: Some("actor counter".to_owned()),
            version: None,
            what: vec!["rebind counter to wascc:keyvalue at store".to_owned()],
            more: 0,
            outcome,
            seen: None,
            why: None,
        }
    }

    #[test]
    fn what_is_wanted_now_is_marked() {
        use ChangedBy::{Automatic, Edit, Manifest, Rollback};
        use RevisionOutcome::{Applied, TakenBack};
        let history = [
            revision(1, Manifest, Applied),
            revision(2, Manifest, Applied),
            revision(3, Edit, Applied),
            revision(4, Rollback, TakenBack),
            revision(5, Automatic, Applied),
        ];
        let edit = EditEntry {
            kind: ComponentKind::Actor,
            name: "counter".to_owned(),
            revision: 5,
            what: "/counter-2.wasm".to_owned(),
        };
        let edits = Edits { revision: 5, etag: "a-5".to_owned(), edits: vec![edit] };
        let marks = in_force(&edits, &history);
        let told: Vec<_> = history.iter().map(|it| outcome(it, &marks)).collect();
        let all = ["applied", "applied (in force)", "applied", "taken_back", "applied (in force)"];
        assert_eq!(told, all);
    }

    #[test]
    fn a_change_concerns_what_it_names() {
        let revision = revision(2, ChangedBy::Edit, RevisionOutcome::Applied);
        for (name, is_meant) in [("counter", true), ("store", true), ("count", false)] {
            assert_eq!(concerns(&revision, name), is_meant, "{name}");
        }
    }
}
