//! `trellis spy`: the calls of an actor, as they go on.

use clap::Args;
use trellis_control::CallEntry;

use super::follow::follow;
use super::host::HostChoice;
use super::live;
use super::runtime;
use crate::failure::Failure;
use crate::output::Output;

#[derive(Args, Debug)]
#[command(after_help = "\
Shown are the calls that the actor gets and those it makes, from now on, each when it ends. The host
keeps 1 MiB for who reads slowly, and says how many calls were lost. `trellis why TRACE` says why a
call was let through. Over the network it needs a token for `operate`, and with --payload for
`admin`.
Exit codes: 2 several hosts run, 3 no such host or actor, 4 the host is another user's, or the token
has ended, 5 no host answers, or it stopped.")]
pub(crate) struct SpyArgs {
    /// The actor: its name in the manifest, or its key.
    #[arg(add = live::actors())]
    actor: String,

    /// Shows what is said as well, in hex digits, up to 4 KiB of each message.
    #[arg(long)]
    payload: bool,

    #[command(flatten)]
    host: HostChoice,
}

pub(crate) fn run(args: &SpyArgs, output: Output) -> Result<(), Failure> {
    let payload = args.payload.then(|| ("payload", "true".to_owned()));
    let query: Vec<_> = payload.into_iter().collect();
    runtime::block_on(async {
        let client = args.host.client(output).await?;
        follow::<CallEntry>(&client, (&["actors", &args.actor, "calls"], &query), output).await
    })
}
