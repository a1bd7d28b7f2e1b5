//! The options of `trellis call`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::{PathBufValueParser, TypedValueParser as _};
use trellis_app::args::cache_folder;
use trellis_core::units::parse_duration;

use crate::commands::verify::TrustArgs;
use crate::registry::RegistryArgs;

#[derive(Args, Debug)]
#[command(after_help = "\
The module's signature, hash and time window are checked. Who signed it matters only with --issuer
or --trust, because the module is given nothing here that would need trust.

Host calls are answered from --replies, in order: a JSON array of {\"replyHex\": s},
{\"replyText\": s}, {\"replyJson\": any} (sent as MessagePack) or {\"error\": s}, which the
guest gets as it is. A host call with no reply left fails.

With --json the payload is JSON and is sent as MessagePack; {\"$text\": s} and {\"$hex\": s} stand
for bytes. A reply is printed as JSON with --json, as hex with --hex, and otherwise as it is (on a
terminal: as text or hex).

A script is a JSON array of steps, or one step a line:
  {\"operation\": s, \"payloadHex\" or \"payloadText\": s, \"replies\": [...]}
One instance serves all steps; if it traps or runs out of time it is replaced. Each step prints
one line of JSON:
  {\"operation\": s, \"status\": \"ok\", \"guest_error\", \"trap\", \"timeout\" or \"refused\",
   \"responseHex\": s, \"error\": s, \"log\": [s], \"micros\": n, \"hostCalls\":
   [{\"binding\": s, \"namespace\": s, \"operation\": s, \"payloadHex\": s}]}

Exit codes: 0 answered (or: the whole script ran), 1 the actor failed, 3 no such file,
4 the module is refused, 5 out of time, 6 not a module this engine can run.")]
pub(crate) struct CallArgs {
    /// The module: a file, or an image in a registry.
    pub(super) file: PathBuf,

    /// The operation, such as HandleRequest.
    #[arg(required_unless_present = "script", conflicts_with = "script")]
    pub(super) operation: Option<String>,

    /// The message: text, `@FILE`, or `-` for stdin. Empty without it.
    #[arg(requires = "operation", allow_hyphen_values = true)]
    pub(super) payload: Option<String>,

    /// The payload is JSON and is sent as MessagePack; the reply comes back as JSON.
    #[arg(long, conflicts_with_all = ["hex", "script"])]
    pub(super) json: bool,

    /// The payload is hex; so is the reply.
    #[arg(long, conflicts_with = "script")]
    pub(super) hex: bool,

    /// Answers for the module's host calls, in order; `-` for stdin.
    #[arg(long, value_name = "FILE", conflicts_with = "script")]
    pub(super) replies: Option<PathBuf>,

    /// Runs these steps; `-` for stdin.
    #[arg(long, value_name = "STEPS")]
    pub(super) script: Option<PathBuf>,

    /// Prints every host call and log line on stderr.
    #[arg(long)]
    pub(super) trace: bool,

    /// Longest time for one operation, such as 500ms or 30s.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = timeout)]
    pub(super) timeout: Duration,

    /// Runs a module without claims. A module that has claims is still held to them.
    #[arg(long)]
    pub(super) allow_unsigned: bool,

    /// Where compiled modules are kept; by default where the host keeps them.
    #[arg(long, value_name = "DIR", env = "TRELLIS_CACHE_DIR")]
    #[arg(value_parser = PathBufValueParser::new().try_map(cache_folder))]
    pub(super) cache_dir: Option<PathBuf>,

    #[command(flatten)]
    pub(super) trust: TrustArgs,

    #[command(flatten)]
    pub(super) registry: RegistryArgs,
}

/// A time that is not zero.
///
/// # Errors
/// How it is written.
pub(crate) fn timeout(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Some(time) if !time.is_zero() => Ok(time),
        _ => Err("write a time such as 500ms, 5s or 1m".to_owned()),
    }
}
