//! The binding that is meant, and its host.

use std::time::{Duration, Instant};

use clap::Args;
use tokio::time::sleep;
use trellis_app::{AdminClient, ClientError};
use trellis_control::{Answer, DataPage, DataPiece, DataQuery};
use trellis_core::Code;

use super::lines::no_json;
use crate::commands::call::timeout;
use crate::commands::get::odd;
use crate::commands::host::{HostChoice, left};
use crate::commands::live;
use crate::commands::runtime;
use crate::failure::Failure;
use crate::output::Output;

/// The pause before a host that is busy is asked again.
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Args, Debug)]
pub(super) struct Asked {
    /// The binding: ACTOR, or ACTOR/NAME.
    #[arg(add = live::stores())]
    pub(super) binding: String,
    /// Longest wait for all of it.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = timeout)]
    pub(super) timeout: Duration,
    #[command(flatten)]
    pub(super) host: HostChoice,
}

impl Asked {
    /// The actor and the name of the binding.
    pub(super) fn names(&self) -> (&str, &str) {
        self.binding.split_once('/').unwrap_or((&self.binding, "default"))
    }

    /// Shows `each` what is there, page by page.
    pub(super) fn each(
        &self,
        query: DataQuery,
        output: Output,
        mut each: impl FnMut(DataPiece) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let until = Instant::now() + self.timeout;
        runtime::block_on(async {
            let client = self.host.client_until(until, output).await?;
            let mut query = query;
            loop {
                let DataPage { pieces, next } = self.page(&client, &query, until).await?;
                pieces.into_iter().try_for_each(&mut each)?;
                match next {
                    Some(next) => query.from = Some(next),
                    None => return Ok(()),
                }
            }
        })
    }

    pub(super) async fn page(
        &self,
        client: &AdminClient,
        query: &DataQuery,
        until: Instant,
    ) -> Result<DataPage, Failure> {
        let body = serde_json::to_vec(query).map_err(|error| no_json(&error))?;
        match self.ask(client, ("export", body), until).await? {
            Answer::Data(page) => Ok(*page),
            _ => Err(odd()),
        }
    }

    /// Asks, and again as long as the host is busy with what cannot be looked into meanwhile: it
    /// did nothing by then.
    pub(super) async fn ask(
        &self,
        client: &AdminClient,
        (way, body): (&str, Vec<u8>),
        until: Instant,
    ) -> Result<Answer, ClientError> {
        loop {
            let client = client.clone().waiting(left(until));
            match client.data(self.names(), (way, body.clone())).await {
                Err(ClientError::Refused(fault))
                    if fault.code == Code::Busy && left(until) > PAUSE =>
                {
                    sleep(PAUSE).await;
                }
                answer => return answer,
            }
        }
    }
}
