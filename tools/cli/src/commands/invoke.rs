//! `trellis invoke`: calls an actor of a host that runs.

use std::time::Duration;

use clap::Args;
use data_encoding::HEXLOWER;
use serde::Serialize;
use serde_json::Value;

use super::call::timeout;
use super::host::{HostChoice, after, left};
use super::live;
use super::runtime;
use crate::failure::Failure;
use crate::output::Output;
use crate::payload::{self, Notation};

#[derive(Args, Debug)]
#[command(after_help = "\
The call takes the road of all calls: with every check, and with what the actor is bound to. With
--json the payload is JSON and is sent as MessagePack; {\"$text\": s} and {\"$hex\": s} stand for
bytes. `trellis call` tries a module without a host.

Exit codes: 0 answered, 1 the actor or what it uses failed, 2 several hosts run, 3 no such host or
actor, 4 denied, 5 out of time, or no host answers, 6 the message is wrong.")]
pub(crate) struct InvokeArgs {
    /// The actor: its name in the manifest, its call alias or its key.
    #[arg(add = live::actors())]
    actor: String,

    /// The operation, such as HandleRequest.
    operation: String,

    /// The message: text, `@FILE`, or `-` for stdin. Empty without it.
    #[arg(allow_hyphen_values = true)]
    payload: Option<String>,

    /// The payload is JSON and is sent as MessagePack; the reply comes back as JSON.
    #[arg(long, conflicts_with = "hex")]
    json: bool,

    /// The payload is hex; so is the reply.
    #[arg(long)]
    hex: bool,

    /// Longest wait for all of it, such as 500ms or 30s; a host that is silent is given two seconds
    /// more. The actor's own limits hold as well.
    #[arg(long, value_name = "TIME", value_parser = timeout)]
    timeout: Option<Duration>,

    #[command(flatten)]
    host: HostChoice,
}

/// The result as a document.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invoked<'a> {
    actor: &'a str,
    operation: &'a str,
    response_hex: String,
    /// The reply, decoded, under `--json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Value>,
}

pub(crate) fn run(args: &InvokeArgs, output: Output) -> Result<(), Failure> {
    let notation = Notation::of(args.json, args.hex);
    let message = payload::read(args.payload.as_deref(), notation)?;
    let reply = runtime::block_on(async {
        let deadline = args.timeout.map(after);
        let client = match deadline {
            Some(deadline) => args.host.client_until(deadline, output).await?,
            None => args.host.client(output).await?,
        };
        let whom = (&*args.actor, &*args.operation);
        Ok(client.invoke(whom, message.into(), deadline.map(left)).await?)
    })?;
    if !output.is_document() {
        return payload::print(&reply, notation, output);
    }
    let response = match notation {
        Notation::Json => Some(payload::reply_json(&reply)?),
        Notation::Raw | Notation::Hex => None,
    };
    let (actor, operation) = (&*args.actor, &*args.operation);
    let response_hex = HEXLOWER.encode(&reply);
    output.document(&Invoked { actor, operation, response_hex, response })
}
