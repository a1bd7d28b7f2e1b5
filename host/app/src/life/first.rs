//! The first text of a host.

use std::sync::Arc;

use crate::failure::Failure;
use crate::manifest::{Loader, Meant};
use crate::signals::{Request, Signals};
use crate::watch::FileWatch;

/// Reads the manifest until its text is right; `None` when the host was told to stop before.
///
/// # Errors
/// What is wrong with the text, unless the user wants to `wait`.
pub(crate) async fn first_text(
    loader: &Arc<Loader>,
    watch: &FileWatch,
    signals: &mut Signals,
    wait: bool,
) -> Result<Option<Meant>, Failure> {
    loop {
        let read = async {
            watch.follow_manifest(loader.path().to_owned()).await;
            loader.understood(loader.read().await?).await
        };
        let failure = tokio::select! {
            read = read => match read {
                Ok(text) => return Ok(Some(text)),
                Err(failure) => failure,
            },
            request = signals.next() => match request {
                Request::Stop => return Ok(None),
                Request::Reload => continue,
            },
        };
        if !wait {
            return Err(failure);
        }
        tracing::error!("waiting for a change, since the manifest cannot be started\n{failure}");
        tokio::select! {
            () = watch.changed() => {}
            request = signals.next() => if request == Request::Stop { return Ok(None) },
        }
    }
}
