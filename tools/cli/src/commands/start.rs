//! `trellis start`: what was stopped runs again, or something runs that the manifest does not have.

use clap::{Args, Subcommand};
use trellis_control::{ComponentKind, Edit, EditRequest};

use super::edits::{EditArgs, absolute, implementation, make, pair, plain};
use super::subject::{Actor, Provider};
use crate::failure::Failure;
use crate::output::Output;

const EXIT_CODES: &str = "\
What is started and not in the manifest has the manifest's defaults, until a restart of the host
forgets it; when the manifest comes to have that name itself, it has its say. `trellis bind` binds
it, and `trellis update` puts another version in its place.

Exit codes: as `trellis update`.";

#[derive(Subcommand, Debug)]
pub(crate) enum StartCommand {
    /// An actor that was stopped; with its module one that the manifest does not have.
    #[command(after_help = EXIT_CODES)]
    Actor(ActorArgs),
    /// A provider that was stopped; with --to one that the manifest does not have.
    #[command(after_help = EXIT_CODES)]
    Provider(ProviderArgs),
}

#[derive(Args, Debug)]
pub(crate) struct ActorArgs {
    #[command(flatten)]
    actor: Actor,
    /// Of an actor that the manifest does not have the signed module: a file, or an image in a
    /// registry.
    module: Option<String>,
    /// Also with another key than an actor of that name had.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    edit: EditArgs,
}

#[derive(Args, Debug)]
pub(crate) struct ProviderArgs {
    #[command(flatten)]
    provider: Provider,
    /// Of a provider that the manifest does not have what it is: builtin:NAME, module:FILE,
    /// archive:FILE or process:FILE.
    #[arg(long, value_name = "KIND:WHAT")]
    to: Option<String>,
    /// One of its values; may be given several times. Other users of the machine may see it: what
    /// is secret belongs into the manifest, as ${VARIABLE}.
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair, requires = "to")]
    set: Vec<(String, String)>,
    #[command(flatten)]
    edit: EditArgs,
}

impl StartCommand {
    pub(crate) fn run(&self, output: Output) -> Result<(), Failure> {
        match self {
            Self::Actor(args) => {
                let ActorArgs { actor, module, force, edit } = args;
                let image = module.as_deref().map(absolute).transpose()?;
                let (kind, name) = (ComponentKind::Actor, actor.name.clone());
                let start = Edit::Start { kind, name, image, to: None, set: [].into() };
                make(EditRequest { force: *force, ..plain(start) }, edit, output)
            }
            Self::Provider(args) => {
                let ProviderArgs { provider, to, set, edit } = args;
                let to = to.as_deref().map(implementation).transpose()?;
                let (kind, name) = (ComponentKind::Provider, provider.name.clone());
                let set = set.iter().cloned().collect();
                make(plain(Edit::Start { kind, name, image: None, to, set }), edit, output)
            }
        }
    }
}
