//! Work that takes a while, where it holds up no other connection and no call.

use tokio::task::spawn_blocking;

use super::answers::{Refused, failed};
use super::api::Admin;
use super::working::Working;

/// Does it on a thread that may block, when it is its turn: what is put together takes memory, so
/// few are at once.
///
/// # Errors
/// When it panics.
pub(super) async fn in_turn<T: Send + 'static>(
    admin: &Admin,
    working: &Working,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refused> {
    let _turn = admin.turn().await;
    let _working = working.begin();
    spawn_blocking(work).await.map_err(|_| failed())
}
