//! `trellis update`: another version of an actor, or another provider, on a host that runs.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use trellis_control::{Edit, EditRequest};

use super::edits::{Data, EditArgs, UpdateTerms, absolute, implementation, make, pair};
use super::subject::{Actor, Provider};
use crate::failure::Failure;
use crate::output::Output;

const EXIT_CODES: &str = "\
What is wanted is the manifest with this laid over it, until the manifest's own entry changes,
`trellis rollback`, or the end of the host. What does worse than before is taken back.

Exit codes: 0 it runs, 1 it failed or was taken back, 2 wrong usage, 3 no such host, actor or file,
4 refused: signature, trust, key, revision or capabilities, 5 out of time, or no host answers,
6 the module or a value is wrong, or somebody else changed something first.";

#[derive(Subcommand, Debug)]
pub(crate) enum UpdateCommand {
    /// Another version of an actor.
    #[command(after_help = EXIT_CODES)]
    Actor(ActorArgs),
    /// Other values of a provider, or another implementation.
    #[command(after_help = EXIT_CODES)]
    Provider(ProviderArgs),
}

#[derive(Args, Debug)]
pub(crate) struct ActorArgs {
    #[command(flatten)]
    actor: Actor,
    /// The signed module: a file, or an image in a registry.
    module: String,
    /// Answers so many of the actor's latest calls before it serves, and does not serve if it fails
    /// where the version before did not; 0 for none. All that `limits.replay_calls` in the manifest
    /// keeps, without this.
    #[arg(long, value_name = "CALLS")]
    replay: Option<u32>,
    #[command(flatten)]
    terms: UpdateTerms,
    #[command(flatten)]
    edit: EditArgs,
}

#[derive(Args, Debug)]
pub(crate) struct ProviderArgs {
    #[command(flatten)]
    provider: Provider,
    /// What it is to be: builtin:NAME, module:FILE, archive:FILE or process:FILE. Then it has no
    /// values but those of --set.
    #[arg(long, value_name = "KIND:WHAT")]
    to: Option<String>,
    /// Sets a value; may be given several times. Other users of the machine may see it: what is
    /// secret belongs into the manifest, as ${VARIABLE}.
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
    /// Takes a value away; may be given several times.
    #[arg(long, value_name = "KEY")]
    unset: Vec<String>,
    /// Has what it keeps go along to the one that follows; calls of it wait meanwhile, and it is
    /// not watched. Without it the data stay where they are.
    #[arg(long, value_enum, value_name = "WAY")]
    data: Option<Data>,
    #[command(flatten)]
    terms: UpdateTerms,
    #[command(flatten)]
    edit: EditArgs,
}

impl UpdateCommand {
    pub(crate) fn run(&self, output: Output) -> Result<(), Failure> {
        match self {
            Self::Actor(args) => {
                let image = absolute(&args.module)?;
                let edit = Edit::Actor { name: args.actor.name.clone(), image };
                let request = args.terms.request(edit);
                make(EditRequest { replay: args.replay, ..request }, &args.edit, output)
            }
            Self::Provider(args) => {
                if args.to.is_none() && args.set.is_empty() && args.unset.is_empty() {
                    let failure = Failure::usage("nothing is said that is to be other than it is");
                    return Err(failure.cure("Give `--to`, `--set` or `--unset`."));
                }
                let set: BTreeMap<_, _> = args.set.iter().cloned().collect();
                let (to, unset) =
                    (args.to.as_deref().map(implementation).transpose()?, args.unset.clone());
                let edit = Edit::Provider { name: args.provider.name.clone(), to, set, unset };
                let request = args.terms.request(edit);
                let data = args.data.map(Into::into);
                make(EditRequest { data, ..request }, &args.edit, output)
            }
        }
    }
}
