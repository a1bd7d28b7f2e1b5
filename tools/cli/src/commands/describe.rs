//! `trellis describe`: everything about an actor or a provider of a host.

use std::fmt;

use clap::{Args, ValueEnum};
use serde::{Serialize, Serializer};
use trellis_claims::{Clock, SystemClock};
use trellis_control::{ActorEntry, Answer, Degraded, EditEntry, ProviderEntry};

use super::get::{odd, shown};
use super::host::{HostChoice, Patience};
use super::inspect::relative;
use super::live;
use super::runtime;
use crate::clean::clean;
use crate::failure::Failure;
use crate::output::Output;

#[derive(Args, Debug)]
#[command(after_help = "\
Exit codes: 0 shown, 2 several hosts run, 3 no such host, actor or provider, 4 the host is another
user's, 5 no host answers.")]
pub(crate) struct DescribeArgs {
    /// What it is.
    #[arg(value_enum)]
    what: What,
    /// Its name in the manifest; of an actor also its key.
    #[arg(add = live::components())]
    name: String,
    #[command(flatten)]
    host: HostChoice,
    #[command(flatten)]
    patience: Patience,
}

/// What can be described.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum What {
    /// An actor.
    Actor,
    /// A provider.
    Provider,
}

/// What is shown, and what time it is.
struct Description(Answer, u64);

pub(crate) fn run(args: &DescribeArgs, output: Output) -> Result<(), Failure> {
    let list = match args.what {
        What::Actor => "actors",
        What::Provider => "providers",
    };
    let answer = runtime::block_on(async {
        let client = args.host.client_until(args.patience.deadline(), output).await?;
        Ok(client.get(&[list, &args.name]).await?)
    })?;
    match answer {
        Answer::Actor(_) | Answer::Provider(_) => {
            output.show(&Description(answer, SystemClock.now_unix_s()))
        }
        _ => Err(odd()),
    }
}

impl Serialize for Description {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Answer::Actor(actor) => describe_actor(f, actor, self.1),
            Answer::Provider(provider) => describe_provider(f, provider, self.1),
            _ => Ok(()),
        }
    }
}

fn describe_actor(f: &mut fmt::Formatter<'_>, actor: &ActorEntry, now: u64) -> fmt::Result {
    writeln!(f, "\x1b[1m{}\x1b[0m", clean(&actor.name))?;
    row(f, "state", shown(actor.state, actor.edit.as_ref()))?;
    reasons(f, &actor.reasons, now)?;
    waits(f, &actor.waits_for)?;
    edit(f, actor.edit.as_ref())?;
    row(f, "key", &actor.key)?;
    row(f, "issuer", actor.issuer.as_deref().unwrap_or("none: it is unsigned"))?;
    row(f, "revision", actor.revision.map_or_else(|| "-".to_owned(), |it| it.to_string()))?;
    row(f, "version", actor.version.as_deref().unwrap_or("-"))?;
    row(f, "sha-256", &actor.digest)?;
    row(f, "call alias", actor.call_alias.as_deref().unwrap_or("-"))?;
    let expires = actor.expires_unix_s.map_or_else(|| "never".to_owned(), |it| relative(it, now));
    row(f, "expires", expires)?;
    row(f, "may use", all(&actor.capabilities))?;
    row(f, "isolation", actor.isolation)?;
    if let Some(instances) = actor.instances {
        let (alive, idle, waiting) = (instances.alive, instances.idle, instances.waiting);
        row(f, "instances", format!("{alive}, of which {idle} idle; {waiting} calls wait"))?;
    }
    row(f, "addresses", all(&actor.addresses))?;
    writeln!(f, "bindings")?;
    for binding in &actor.bindings {
        row(f, &binding.contract, format_args!("as {}", binding.name))?;
    }
    writeln!(f, "limits")?;
    actor.limits.iter().try_for_each(|(name, value)| row(f, name, value))
}

fn describe_provider(
    f: &mut fmt::Formatter<'_>,
    provider: &ProviderEntry,
    now: u64,
) -> fmt::Result {
    writeln!(f, "\x1b[1m{}\x1b[0m", clean(&provider.name))?;
    row(f, "state", shown(provider.state, provider.edit.as_ref()))?;
    reasons(f, &provider.reasons, now)?;
    waits(f, &provider.waits_for)?;
    edit(f, provider.edit.as_ref())?;
    row(f, "kind", provider.kind)?;
    row(f, "implementation", format_args!("{} {}", provider.implementation, provider.version))?;
    if let Some(signed) = &provider.signed {
        row(f, "key", &signed.key)?;
        row(f, "issuer", signed.issuer.as_deref().unwrap_or("none: it is unsigned"))?;
        row(f, "revision", signed.revision.map_or_else(|| "-".to_owned(), |it| it.to_string()))?;
        row(f, "sha-256", signed.digest.as_deref().unwrap_or("-"))?;
        let ends = signed.expires_unix_s.map_or_else(|| "never".to_owned(), |it| relative(it, now));
        row(f, "expires", ends)?;
    }
    row(f, "contracts", all(&provider.contracts))?;
    if let Some(process) = provider.process {
        let pid = process.pid.map_or_else(|| "none".to_owned(), |pid| pid.to_string());
        row(f, "process", format_args!("{pid}, started again {} times", process.restarts))?;
    }
    writeln!(f, "values")?;
    provider.values.iter().try_for_each(|(key, value)| row(f, key, value))
}

/// By what it runs other than the manifest says.
fn edit(f: &mut fmt::Formatter<'_>, edit: Option<&EditEntry>) -> fmt::Result {
    let Some(EditEntry { what, revision, .. }) = edit else { return Ok(()) };
    row(f, "edit", format_args!("{what} (revision {revision}); a restart forgets it"))
}

fn reasons(f: &mut fmt::Formatter<'_>, reasons: &[Degraded], now: u64) -> fmt::Result {
    let told = |reason: &Degraded| {
        let (why, code) = (&reason.why, reason.code);
        row(f, "because", format_args!("{why} [{code}] ({})", reason.timing(now)))
    };
    reasons.iter().try_for_each(told)
}

fn waits(f: &mut fmt::Formatter<'_>, waits_for: &[String]) -> fmt::Result {
    if waits_for.is_empty() { Ok(()) } else { row(f, "waits for", all(waits_for)) }
}

fn all(texts: &[String]) -> String {
    if texts.is_empty() { "-".to_owned() } else { texts.join(", ") }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, value: impl fmt::Display) -> fmt::Result {
    writeln!(f, "  {:<24} {}", clean(name), clean(&value.to_string()))
}
