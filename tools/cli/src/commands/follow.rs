//! What can be followed: how much of it, and how it is printed as it comes.

use std::fmt::Display;

use clap::Args;
use serde::Serialize;
use serde::de::DeserializeOwned;
use trellis_app::{AdminClient, ClientError, Followed};
use trellis_core::Code;
use trellis_core::units::parse_duration;

use crate::clean::clean;
use crate::failure::Failure;
use crate::global::Form;
use crate::output::Output;

/// How much is shown of what a host keeps.
#[derive(Args, Clone, Default, Debug)]
pub(super) struct Extent {
    /// Only what is no older than this, such as 30s or 5m.
    #[arg(long, value_name = "TIME", value_parser = span)]
    since: Option<String>,

    /// Only the last so many of what is kept.
    #[arg(long, value_name = "N")]
    tail: Option<u64>,
}

/// A span of time as the host reads it.
fn span(text: &str) -> Result<String, String> {
    let is_one = parse_duration(text).is_some();
    is_one.then(|| text.to_owned()).ok_or_else(|| "it is no time such as 30s or 5m".to_owned())
}

impl Extent {
    /// The same, for the host.
    pub(super) fn query(&self) -> Vec<(&'static str, String)> {
        let since = self.since.iter().map(|since| ("since", since.clone()));
        since.chain(self.tail.iter().map(|tail| ("tail", tail.to_string()))).collect()
    }
}

/// Prints one after the other, a line each, until the host says that nothing more comes. For
/// programs each is a document in a line.
///
/// # Errors
/// Why nothing more comes.
pub(super) async fn follow<T: DeserializeOwned + Serialize + Display>(
    client: &AdminClient,
    (resource, query): (&[&str], &[(&str, String)]),
    output: Output,
) -> Result<(), Failure> {
    if output.form() == Form::Yaml {
        let message = "what is followed comes as text or, with `-o json`, a document a line";
        return Err(Failure::usage(message).cure("Leave out `-o yaml`, or write `-o json`."));
    }
    let mut following = client.follow(resource, query).await?;
    loop {
        match following.next::<T>().await? {
            Some(Followed::Item(item)) if output.is_document() => in_line(&item, output)?,
            Some(Followed::Item(item)) => output.line(&clean(&item.to_string()))?,
            Some(Followed::Lost(lost)) => {
                let place = client.place();
                output.note(format_args!("note: {lost} are lost: {place} was read too slowly"));
                if output.is_document() {
                    in_line(&trellis_control::Lost { lost }, output)?;
                }
            }
            Some(Followed::End(fault)) if fault.code == Code::Stopping => {
                return Err(gone(client, "has stopped"));
            }
            Some(Followed::End(fault)) => return Err(ClientError::Refused(fault).into()),
            None => return Err(gone(client, "went away")),
        }
    }
}

fn gone(client: &AdminClient, how: &str) -> Failure {
    Failure::new(Code::NoHost, format!("the host at {} {how}", client.place()))
}

fn in_line(item: &impl Serialize, output: Output) -> Result<(), Failure> {
    output.line(&serde_json::to_string(item).expect("our documents are maps with string keys"))
}
