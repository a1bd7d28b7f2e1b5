//! What takes the place of a change that is under way.

use tokio::sync::watch;

/// Waits until something newer is wanted.
pub(crate) async fn newer(superseded: &mut watch::Receiver<bool>) {
    // An error means that the owner is gone, which ends this change too.
    drop(superseded.wait_for(|superseded| *superseded).await);
}
