//! `trellis events`: what happened on a host, and what happens.

use clap::Args;
use trellis_control::{Answer, Event};

use super::follow::{Extent, follow};
use super::get::odd;
use super::host::HostChoice;
use super::runtime;
use crate::failure::Failure;
use crate::output::Output;
use crate::table::Table;

#[derive(Args, Debug)]
#[command(after_help = "\
Each is a CloudEvent; with `-f -o json` one in a line. The last 1,000 since the host started are
known, the oldest first. `docs/events.md` lists the types.
Exit codes: 0 listed, 2 several hosts run, 3 no such host, 4 the host is another user's, or the
token has ended, 5 no host answers, or it stopped.")]
pub(crate) struct EventsArgs {
    /// Goes on with what happens, until it is stopped.
    #[arg(short, long)]
    follow: bool,

    /// Only those whose type begins like this; `io.trellis.host.` may be left out.
    #[arg(long, value_name = "TYPE")]
    r#type: Option<String>,

    #[command(flatten)]
    extent: Extent,
    #[command(flatten)]
    host: HostChoice,
}

/// How all types of events begin.
const TYPES: &str = "io.trellis.host.";

pub(crate) fn run(args: &EventsArgs, output: Output) -> Result<(), Failure> {
    let mut query = args.extent.query();
    if let Some(kind) = &args.r#type {
        let prefix = if kind.starts_with("io.") { "" } else { TYPES };
        query.push(("type", format!("{prefix}{kind}")));
    }
    runtime::block_on(async {
        let client = args.host.client(output).await?;
        if args.follow {
            return follow::<Event>(&client, (&["events"], &query), output).await;
        }
        let Answer::Events(events) = client.list(&["events"], &query).await? else {
            return Err(odd());
        };
        if let Some(kind) = args.r#type.as_ref().filter(|_| events.is_empty()) {
            output.note(format_args!(
                "note: no event that is kept has a type that begins like `{kind}`; docs/events.md \
                 lists the types"
            ));
        }
        let table = table(&events);
        output.list(&Answer::Events(events), &table)
    })
}

fn table(events: &[Event]) -> Table {
    let mut table = Table::new(&["TIME", "TYPE", "MESSAGE"], &["SUBJECT", "ID"]);
    for event in events {
        let kind = event.kind.strip_prefix(TYPES).unwrap_or(&event.kind);
        table.row([
            event.time.clone(),
            kind.to_owned(),
            event.data.message.clone(),
            event.subject.clone().unwrap_or_default(),
            event.id.clone(),
        ]);
    }
    table
}
