//! `trellis stop`: something is to run no more, until it is started.

use clap::{Args, Subcommand};
use trellis_control::{ComponentKind, Edit};

use super::edits::{EditArgs, make, plain};
use super::subject::{Actor, Provider};
use crate::failure::Failure;
use crate::output::Output;

const EXIT_CODES: &str = "\
What is bound stays bound, and whoever calls is told that it was stopped. `trellis start` has it run
again, and so does a restart of the host. Stopping what is stopped changes nothing.

Exit codes: as `trellis update`.";

#[derive(Subcommand, Debug)]
pub(crate) enum StopCommand {
    /// An actor: calls under way end, and no more come.
    #[command(after_help = EXIT_CODES)]
    Actor(StopArgs<Actor>),
    /// A provider: it lets go of its ports, files and connections.
    #[command(after_help = EXIT_CODES)]
    Provider(StopArgs<Provider>),
}

#[derive(Args, Debug)]
pub(crate) struct StopArgs<Subject: Args> {
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    edit: EditArgs,
}

impl StopCommand {
    pub(crate) fn run(&self, output: Output) -> Result<(), Failure> {
        let (kind, name, edit) = match self {
            Self::Actor(StopArgs { subject, edit }) => (ComponentKind::Actor, &subject.name, edit),
            Self::Provider(StopArgs { subject, edit }) => {
                (ComponentKind::Provider, &subject.name, edit)
            }
        };
        make(plain(Edit::Stop { kind, name: name.clone() }), edit, output)
    }
}
