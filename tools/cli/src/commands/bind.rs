//! `trellis bind` and `unbind`: what an actor may use.

use clap::Args;
use trellis_control::Edit;
use trellis_core::BindingName;

use super::edits::{EditArgs, make, pair, plain};
use super::live;
use crate::failure::Failure;
use crate::output::Output;

#[derive(Args, Debug)]
#[command(after_help = "\
The actor's claims have to list the capability. Values are set over those that the binding has; over
another provider it begins without any. A restart of the host forgets it, and it ends when the
manifest's own binding becomes another one. The same again changes nothing.

Exit codes: as `trellis update`.")]
pub(crate) struct BindArgs {
    #[command(flatten)]
    which: Which,
    /// The provider; without it the one that it has, or the only one that serves the capability.
    #[arg(long, value_name = "PROVIDER", add = live::providers())]
    provider: Option<String>,
    /// Sets a value; may be given several times. Other users of the machine may see it: what is
    /// secret belongs into the manifest, as ${VARIABLE}.
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
    /// Takes a value away; may be given several times.
    #[arg(long, value_name = "KEY")]
    unset: Vec<String>,
    #[command(flatten)]
    edit: EditArgs,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Calls over it are denied from then on, as without a binding in the manifest. What is not bound stays
so. A restart of the host forgets it.

Exit codes: as `trellis update`.")]
pub(crate) struct UnbindArgs {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    edit: EditArgs,
}

/// Which binding.
#[derive(Args, Debug)]
struct Which {
    /// The actor's name.
    #[arg(add = live::actors())]
    actor: String,
    /// The contract, such as wascc:keyvalue.
    #[arg(add = live::contracts())]
    capability: String,
    /// The name by which the actor calls it.
    #[arg(long, value_name = "BINDING", default_value = BindingName::DEFAULT,
        add = live::bindings())]
    name: String,
}

pub(crate) fn bind(args: &BindArgs, output: Output) -> Result<(), Failure> {
    let BindArgs { which, provider, set, unset, edit } = args;
    let Which { actor, capability, name } = which;
    let (set, unset) = (set.iter().cloned().collect(), unset.clone());
    let (actor, capability, name) = (actor.clone(), capability.clone(), name.clone());
    let bind = Edit::Bind { actor, capability, name, provider: provider.clone(), set, unset };
    make(plain(bind), edit, output)
}

pub(crate) fn unbind(args: &UnbindArgs, output: Output) -> Result<(), Failure> {
    let Which { actor, capability, name } = &args.which;
    let (actor, capability, name) = (actor.clone(), capability.clone(), name.clone());
    make(plain(Edit::Unbind { actor, capability, name }), &args.edit, output)
}
