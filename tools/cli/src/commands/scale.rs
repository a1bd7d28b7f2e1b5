//! `trellis scale`: more or fewer instances of an actor at once.

use clap::{Args, Subcommand};
use trellis_control::Edit;

use super::edits::{EditArgs, make, plain};
use super::subject::Actor;
use crate::failure::Failure;
use crate::output::Output;

#[derive(Subcommand, Debug)]
pub(crate) enum ScaleCommand {
    /// An actor: its pool is made anew, and calls under way end.
    #[command(after_help = "\
This is `instances.max` of the manifest, until a restart of the host forgets it. Instances are made
when calls come, up to that; `min` is lowered where it is above.

Exit codes: as `trellis update`.")]
    Actor(ScaleArgs),
}

#[derive(Args, Debug)]
pub(crate) struct ScaleArgs {
    #[command(flatten)]
    actor: Actor,
    /// Most instances at once; `trellis stop actor NAME` has none.
    #[arg(long, value_name = "COUNT")]
    instances: u32,
    #[command(flatten)]
    edit: EditArgs,
}

impl ScaleCommand {
    pub(crate) fn run(&self, output: Output) -> Result<(), Failure> {
        let Self::Actor(ScaleArgs { actor, instances, edit }) = self;
        let name = &actor.name;
        if *instances == 0 {
            let failure = Failure::usage("no instance at all serves nobody");
            return Err(failure.cure(format!("`trellis stop actor {name}` stops it.")));
        }
        let scale = Edit::Scale { name: name.clone(), instances: *instances };
        make(plain(scale), edit, output)
    }
}
