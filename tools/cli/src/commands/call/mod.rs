//! `trellis call`: one module alone, without a host, a manifest or a provider.
//!
//! The module runs in the host's own engine. Its host calls are answered from a list of replies, so
//! an actor can be tried and tested with nothing else installed.

mod desk;
mod message;
mod payload;
mod replies;
mod script;
mod session;
mod single;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use trellis_core::units::parse_duration;

use super::runtime;
use super::verify::TrustArgs;
use crate::failure::Failure;
use crate::output::Output;

#[derive(Args, Debug)]
#[command(after_help = "\
The module's signature, hash and time window are checked; whom it is signed by matters only with
--issuer or --trust, since nothing is given to it here.

Host calls are answered from --replies, in order. It is a JSON array of {\"replyHex\": s},
{\"replyText\": s}, {\"replyJson\": any} (sent as MessagePack) or {\"error\": s}, which the guest
reads as it stands. One host call too many is an error.

With --json the payload is JSON and is sent as MessagePack; {\"$text\": s} and {\"$hex\": s} stand
for bytes. A reply is printed as JSON, with --json; as hex, with --hex; else as it is, or readably
on a terminal.

A script is a JSON array of steps, or one step a line:
  {\"operation\": s, \"payloadHex\" or \"payloadText\": s, \"replies\": [...]}
One instance serves them all; one that trapped or ran out of time is replaced. Each step prints
one line of JSON:
  {\"operation\": s, \"status\": \"ok\", \"guest_error\", \"trap\", \"timeout\" or \"refused\",
   \"responseHex\": s, \"error\": s, \"log\": [s], \"micros\": n, \"hostCalls\":
   [{\"binding\": s, \"namespace\": s, \"operation\": s, \"payloadHex\": s}]}

Exit codes: 0 answered (or: the whole script ran), 1 the actor failed, 3 no such file,
4 the module is refused, 5 out of time, 6 not a module this engine can run.")]
pub(crate) struct CallArgs {
    /// The module.
    file: PathBuf,

    /// The operation, such as HandleRequest.
    #[arg(required_unless_present = "script", conflicts_with = "script")]
    operation: Option<String>,

    /// The message: text, `@FILE`, or `-` for stdin. Empty without it.
    #[arg(requires = "operation", allow_hyphen_values = true)]
    payload: Option<String>,

    /// The payload is JSON and is sent as MessagePack; the reply comes back as JSON.
    #[arg(long, conflicts_with_all = ["hex", "script"])]
    json: bool,

    /// The payload is hex; so is the reply.
    #[arg(long, conflicts_with = "script")]
    hex: bool,

    /// Answers for the module's host calls, in order; `-` for stdin.
    #[arg(long, value_name = "FILE", conflicts_with = "script")]
    replies: Option<PathBuf>,

    /// Runs these steps; `-` for stdin.
    #[arg(long, value_name = "STEPS")]
    script: Option<PathBuf>,

    /// Prints every host call and log line on stderr.
    #[arg(long)]
    trace: bool,

    /// Longest time for one operation, such as 500ms or 30s.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = timeout)]
    timeout: Duration,

    /// Runs a module without claims. One with claims must still keep to them.
    #[arg(long)]
    allow_unsigned: bool,

    /// Where compiled modules are kept; the default is the host's.
    #[arg(long, value_name = "DIR", env = "TRELLIS_CACHE_DIR")]
    cache_dir: Option<PathBuf>,

    #[command(flatten)]
    trust: TrustArgs,
}

pub(crate) fn run(args: CallArgs, output: Output) -> Result<(), Failure> {
    match &args.script {
        Some(steps) => {
            let steps = script::read(steps)?;
            runtime::block_on(script::run(&args, steps, output))
        }
        None => {
            let call = single::Call::new(&args)?;
            runtime::block_on(call.run(&args, output))
        }
    }
}

fn timeout(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Some(time) if !time.is_zero() => Ok(time),
        _ => Err("write a time such as 500ms, 5s or 1m".to_owned()),
    }
}
