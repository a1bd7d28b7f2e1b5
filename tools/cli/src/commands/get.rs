//! `trellis get`: lists hosts, and what they run and want to run.

use clap::{Args, ValueEnum};
use serde::Serialize;
use trellis_claims::{Clock, SystemClock};
use trellis_control::{ActorEntry, Answer, BindingEntry, EditEntry, HostEntry, ProviderEntry};
use trellis_core::Code;

use super::host::{HostChoice, Patience, found, label, left};
use super::inspect::relative;
use super::runtime;
use crate::failure::Failure;
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

/// A list of hosts, which no host tells.
#[derive(Serialize)]
struct Hosts {
    hosts: Vec<HostEntry>,
}

pub(crate) fn run(args: &GetArgs, output: Output) -> Result<(), Failure> {
    match args.what {
        What::Hosts => runtime::block_on(hosts(args, output)),
        What::Actors => list(args, "actors", output),
        What::Providers => list(args, "providers", output),
        What::Bindings => list(args, "bindings", output),
    }
}

async fn hosts(args: &GetArgs, output: Output) -> Result<(), Failure> {
    let (choice, deadline) = (&args.host, args.patience.deadline());
    let hosts = match choice.direct(output)? {
        Some(client) => match client.waiting(left(deadline)).get(&["host"]).await? {
            Answer::Host(host) => vec![*host],
            _ => return Err(odd()),
        },
        None if choice.is_made() => vec![choice.choose(found(deadline, output).await)?.1],
        None => found(deadline, output).await.hosts.into_iter().map(|(_, host)| host).collect(),
    };
    if hosts.is_empty() {
        output.note("no host of yours runs: `host --manifest FILE` starts one");
    }
    let table = host_table(&hosts);
    output.list(&Hosts { hosts }, &table)
}

fn list(args: &GetArgs, what: &str, output: Output) -> Result<(), Failure> {
    let answer = runtime::block_on(async {
        let client = args.host.client_until(args.patience.deadline(), output).await?;
        Ok(client.get(&[what]).await?)
    })?;
    let table = match &answer {
        Answer::Actors(actors) => actor_table(actors),
        Answer::Providers(providers) => provider_table(providers),
        Answer::Bindings(bindings) => binding_table(bindings),
        _ => return Err(odd()),
    };
    edits(&answer).for_each(|edit| {
        let EditEntry { kind, name, what, revision } = edit;
        output.note(format_args!(
            "note: {kind} {name} is {what} by an edit (revision {revision}); a restart forgets it"
        ));
    });
    output.list(&answer, &table)
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
            actor.state.to_string(),
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
            provider.state.to_string(),
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
