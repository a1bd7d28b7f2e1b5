//! `trellis rollback`: takes an update back.

use clap::{Args, ValueEnum};
use trellis_control::{ComponentKind, Edit, EditRequest, WatchTerms};

use super::edits::{Data, EditArgs, make};
use super::live;
use crate::failure::Failure;
use crate::output::Output;

#[derive(Args, Debug)]
#[command(after_help = "\
Without --to, the last step is taken back, whatever that was: what the edit before it had is in
force again, or what the manifest says; with --to-manifest that at once. One that cannot be had is
undone: what ran goes on, and is what is wanted. A manifest is taken back by its own text:
docs/releases.md.

Exit codes: as `trellis update`.")]
pub(crate) struct RollbackArgs {
    /// The actor or provider, by its name in the manifest.
    #[arg(add = live::components())]
    name: String,
    /// Goes to what it had by this revision of `trellis history`.
    #[arg(long, value_name = "REVISION")]
    to: Option<u64>,
    /// Goes to what the manifest says: all that edits have there is given up at once.
    #[arg(long, conflicts_with = "to")]
    to_manifest: bool,
    /// What it is, when an actor and a provider have that name.
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Has what a provider keeps go back too; calls of it wait meanwhile. The store that is gone
    /// back to has what it held before, so this is mostly `replace`.
    #[arg(long, value_enum, value_name = "WAY")]
    data: Option<Data>,
    /// Also a provider that is not well.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    edit: EditArgs,
}

/// What has a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Kind {
    /// An actor.
    Actor,
    /// A provider.
    Provider,
}

pub(crate) fn run(args: &RollbackArgs, output: Output) -> Result<(), Failure> {
    let kind = args.kind.map(|kind| match kind {
        Kind::Actor => ComponentKind::Actor,
        Kind::Provider => ComponentKind::Provider,
    });
    let request = EditRequest {
        edit: Edit::Rollback {
            kind,
            name: args.name.clone(),
            to: args.to,
            to_manifest: args.to_manifest,
        },
        force: args.force,
        allow_more_capabilities: false,
        dry_run: false,
        data: args.data.map(Into::into),
        watch: WatchTerms::default(),
        replay: None,
    };
    make(request, &args.edit, output)
}
