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
    let turn = admin.turn().await;
    let _working = working.begin();
    holding((turn, working.clone()), work).await
}

/// Does it on a thread that may block, and lets go of what is held when it is done: no thread ends
/// because who asked has left.
async fn holding<T: Send + 'static>(
    held: impl Send + 'static,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refused> {
    let working = spawn_blocking(move || {
        let _held = held;
        work()
    });
    working.await.map_err(|_| failed())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn who_leaves_gives_no_turn_back_while_its_work_goes_on() {
        let turns = Arc::new(Semaphore::new(1));
        let turn = Arc::clone(&turns).try_acquire_owned().expect("it is free");
        let (begun, begins) = tokio::sync::oneshot::channel();
        let (end, ends) = mpsc::sync_channel(1);
        let work = move || {
            begun.send(()).expect("it is waited for");
            // An error says that the test failed.
            let _ = ends.recv();
        };
        let asked = tokio::spawn(holding(turn, work));
        begins.await.expect("it begins");
        asked.abort();
        assert!(asked.await.is_err_and(|error| error.is_cancelled()));
        assert_eq!(turns.available_permits(), 0, "its work goes on");
        end.send(()).expect("it waits");
        let _turn = turns.acquire().await.expect("it is given back");
    }
}
