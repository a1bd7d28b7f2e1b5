//! What goes to the owner task.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::Instant;
use trellis_claims::TrustList;
use trellis_control::Applied;

use crate::desired::ApplyOptions;
use crate::prepare::Prepared;

/// Everything the owner task can be asked.
pub(crate) enum Command {
    /// Make this run, and nothing else.
    Apply(Box<Prepared>, ApplyOptions, oneshot::Sender<Applied>),
    /// Stop every actor these no longer vouch for.
    Trust(TrustList, oneshot::Sender<Vec<Arc<str>>>),
    /// Stop everything by then; asked again, at once.
    Stop(Instant, oneshot::Sender<()>),
}
