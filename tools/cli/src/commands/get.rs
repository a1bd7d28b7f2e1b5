//! `trellis get`: lists hosts, and what they run and want to run.

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;
use trellis_claims::{Clock, SystemClock};
use trellis_control::{
    ActorEntry, Answer, BindingEntry, Condition, EditEntry, HostEntry, ProviderEntry,
};
use trellis_core::Code;

use super::host::{HostChoice, Patience, found, label, left};
use super::inspect::relative;
use super::runtime;
use crate::failure::Failure;
use crate::global::Form;
use crate::output::Output;
use crate::table::Table;

#[derive(Args, Debug)]
#[command(after_help = "\
What is wanted and does not run is listed as well; `-o json` and `trellis describe` say why.
Exit codes: 0 listed, 2 several hosts run, 3 no such host, 4 the host is another user's,
5 no host answers.")]
pub(crate) struct GetArgs {
    /// What to list.
    #[arg(value_enum)]
    what: What,
    #[command(flatten)]
    host: HostChoice,
    #[command(flatten)]
    patience: Patience,

    /// Lists again whenever something changes, until it is stopped; it is looked at once a second.
    /// With `-o json` each list is a document in a line.
    #[arg(short, long)]
    watch: bool,
}

/// What can be listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum What {
    /// The hosts of this user that run.
    #[value(alias = "host")]
    Hosts,
    /// The actors of a host.
    #[value(alias = "actor")]
    Actors,
    /// The providers of a host.
    #[value(alias = "provider")]
    Providers,
    /// The bindings of a host.
    #[value(alias = "binding")]
    Bindings,
}

/// A list.
#[derive(PartialEq, Serialize)]
#[serde(untagged)]
enum Listed {
    /// Of hosts, which no host tells.
    Hosts {
        /// Those that answered.
        hosts: Vec<HostEntry>,
    },
    /// Of what a host runs and wants to run.
    OfHost(Answer),
}

/// How often a list is looked at that is watched.
const WATCH_EVERY: Duration = Duration::from_secs(1);

pub(crate) fn run(args: &GetArgs, output: Output) -> Result<(), Failure> {
    if args.watch && output.form() == Form::Yaml {
        let text = "`--watch` lists as text or, with `-o json`, a document a line";
        return Err(Failure::usage(text).cure("Leave out `-o yaml`, or write `-o json`."));
    }
    runtime::block_on(async {
        if args.watch {
            return watch(args, output).await;
        }
        let listed = look(args, output).await?;
        listed.notes(output);
        output.list(&listed, &listed.table()?)
    })
}

/// Lists again and again, as long as there is somebody to ask.
async fn watch(args: &GetArgs, output: Output) -> Result<(), Failure> {
    let mut before = None;
    loop {
        let listed = Some(look(args, output).await?);
        if let Some(now) = listed.as_ref().filter(|_| listed != before) {
            if before.is_some() && !output.is_document() {
                output.line("")?;
            }
            now.notes(output);
            output.list_in_line(now, &now.table()?)?;
        }
        before = listed;
        tokio::time::sleep(WATCH_EVERY).await;
    }
}

async fn look(args: &GetArgs, output: Output) -> Result<Listed, Failure> {
    let resource = match args.what {
        What::Hosts => return Ok(Listed::Hosts { hosts: hosts(args, output).await? }),
        What::Actors => "actors",
        What::Providers => "providers",
        What::Bindings => "bindings",
    };
    let client = args.host.client_until(args.patience.deadline(), output).await?;
    Ok(Listed::OfHost(client.get(&[resource]).await?))
}

async fn hosts(args: &GetArgs, output: Output) -> Result<Vec<HostEntry>, Failure> {
    let deadline = args.patience.deadline();
    // All of them are listed, whatever context is in use.
    let is_made = args.host.is_made();
    let choice = if is_made { args.host.resolved()? } else { args.host.clone() };
    if let Some(client) = choice.direct(output)? {
        return match client.waiting(left(deadline)).get(&["host"]).await? {
            Answer::Host(host) => Ok(vec![*host]),
            _ => Err(odd()),
        };
    }
    let found = found(deadline, output).await;
    if is_made {
        return Ok(vec![choice.choose(found)?.1]);
    }
    Ok(found.hosts.into_iter().map(|(_, host)| host).collect())
}

impl Listed {
    fn table(&self) -> Result<Table, Failure> {
        match self {
            Self::Hosts { hosts } => Ok(host_table(hosts)),
            Self::OfHost(Answer::Actors(actors)) => Ok(actor_table(actors)),
            Self::OfHost(Answer::Providers(providers)) => Ok(provider_table(providers)),
            Self::OfHost(Answer::Bindings(bindings)) => Ok(binding_table(bindings)),
            Self::OfHost(_) => Err(odd()),
        }
    }

    /// What is to be known besides.
    fn notes(&self, output: Output) {
        match self {
            Self::Hosts { hosts } if hosts.is_empty() => {
                output.note("no host of yours runs: `host --manifest FILE` starts one");
            }
            Self::Hosts { .. } => {}
            Self::OfHost(Answer::Actors(none)) if none.is_empty() => {
                output.note("note: this host has no actors");
            }
            Self::OfHost(Answer::Bindings(none)) if none.is_empty() => {
                output.note("note: this host has no bindings");
            }
            Self::OfHost(answer) => edits(answer).for_each(|edit| {
                let EditEntry { kind, name, what, revision } = edit;
                output.note(format_args!(
                    "note: {kind} {name} is {what} by an edit (revision {revision}); a restart \
                     forgets it"
                ));
            }),
        }
    }
}

/// The edits by which something of a list runs.
fn edits(answer: &Answer) -> impl Iterator<Item = &EditEntry> {
    let (actors, providers) = match answer {
        Answer::Actors(actors) => (&actors[..], &[][..]),
        Answer::Providers(providers) => (&[][..], &providers[..]),
        _ => (&[][..], &[][..]),
    };
    let actors = actors.iter().filter_map(|it| it.edit.as_ref());
    actors.chain(providers.iter().filter_map(|it| it.edit.as_ref()))
}

/// How something is, with why it does not run when that is meant.
pub(super) fn shown(state: Condition, edit: Option<&EditEntry>) -> String {
    match (state, edit) {
        (Condition::Stopped, Some(_)) => format!("{state} (edit)"),
        (state, _) => state.to_string(),
    }
}

/// A host that answers something else than it was asked for.
pub(super) fn odd() -> Failure {
    Failure::new(Code::NoHost, "the host answers something else than it was asked for")
        .cure("Use the `trellis` of the host's own version: `trellis get hosts` shows that.")
}

fn host_table(hosts: &[HostEntry]) -> Table {
    let narrow = ["NAME", "PHASE", "STARTED", "VERSION", "MANIFEST"];
    let mut table = Table::new(&narrow, &["LABELS", "SOCKET", "ADMIN", "KEY"]);
    let now = SystemClock.now_unix_s();
    for host in hosts {
        let labels = host.labels.iter().map(|(key, value)| format!("{key}={value}"));
        table.row([
            label(host),
            host.phase.to_string(),
            relative(host.started_unix_s, now),
            host.version.clone(),
            host.manifest.clone(),
            labels.collect::<Vec<_>>().join(","),
            host.socket.clone().unwrap_or_default(),
            host.admin.map(|address| address.to_string()).unwrap_or_default(),
            host.key.clone(),
        ]);
    }
    table
}

fn actor_table(actors: &[ActorEntry]) -> Table {
    let narrow = ["NAME", "STATE", "INSTANCES", "IDLE", "WAITING", "REVISION", "VERSION"];
    let mut table = Table::new(&narrow, &["ISOLATION", "EXPIRES", "ADDRESSES", "KEY", "ISSUER"]);
    let now = SystemClock.now_unix_s();
    for actor in actors {
        let count = |count: Option<u32>| count.map(|count| count.to_string()).unwrap_or_default();
        table.row([
            actor.name.clone(),
            shown(actor.state, actor.edit.as_ref()),
            count(actor.instances.map(|it| it.alive)),
            count(actor.instances.map(|it| it.idle)),
            count(actor.instances.map(|it| it.waiting)),
            actor.revision.map(|revision| revision.to_string()).unwrap_or_default(),
            actor.version.clone().unwrap_or_default(),
            actor.isolation.to_string(),
            actor.expires_unix_s.map_or_else(|| "never".to_owned(), |end| relative(end, now)),
            actor.addresses.join(","),
            actor.key.clone(),
            actor.issuer.clone().unwrap_or_default(),
        ]);
    }
    table
}

fn provider_table(providers: &[ProviderEntry]) -> Table {
    let narrow = ["NAME", "STATE", "KIND", "IMPLEMENTATION", "CONTRACTS"];
    let mut table = Table::new(&narrow, &["VERSION", "PID", "RESTARTS"]);
    for provider in providers {
        let process = provider.process;
        table.row([
            provider.name.clone(),
            shown(provider.state, provider.edit.as_ref()),
            provider.kind.to_string(),
            provider.implementation.clone(),
            provider.contracts.join(","),
            provider.version.clone(),
            process.and_then(|it| it.pid).map(|pid| pid.to_string()).unwrap_or_default(),
            process.map(|it| it.restarts.to_string()).unwrap_or_default(),
        ]);
    }
    table
}

fn binding_table(bindings: &[BindingEntry]) -> Table {
    let mut table = Table::new(&["ACTOR", "CONTRACT", "NAME", "PROVIDER", "STATE"], &["VALUES"]);
    for entry in bindings {
        let values = entry.values.iter().map(|(key, value)| format!("{key}={value}"));
        table.row([
            entry.binding.actor.clone(),
            entry.binding.contract.clone(),
            entry.binding.name.clone(),
            entry.provider.clone(),
            entry.state.to_string(),
            values.collect::<Vec<_>>().join(","),
        ]);
    }
    table
}
