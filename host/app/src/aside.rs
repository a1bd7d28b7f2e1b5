//! Reading on a thread that may block.

use std::sync::Arc;

use tokio::task::spawn_blocking;
use trellis_core::{CallError, Code};

use crate::failure::Failure;

/// Held by the one thread that reads. A disk that hangs keeps it, so that whoever asks next waits
/// on no thread.
pub(crate) type Turn = Arc<tokio::sync::Mutex<()>>;

/// Works on a thread that may block, one thread at a time: also after the future was dropped.
///
/// # Errors
/// That it panicked.
pub(crate) async fn aside<T: Send + 'static>(
    turn: &Turn,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    let turn = Arc::clone(turn).lock_owned().await;
    let working = spawn_blocking(move || {
        let _turn = turn;
        work()
    });
    working.await.map_err(|error| {
        let message = format!("reading it failed inside the host: {error}");
        Failure::call("the manifest", CallError::new(Code::Internal, message))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_disk_that_hangs_costs_one_thread_however_often_the_text_is_read() {
        let turn = Turn::default();
        let (release, gate) = sync_channel::<()>(0);
        // An error means that the disk answers again.
        let hangs = aside(&turn, move || gate.recv().is_ok());
        let given_up = timeout(Duration::from_millis(1), hangs).await;
        assert!(given_up.is_err(), "the disk hangs");
        for _ in 0..10 {
            let second = aside(&turn, || panic!("a second thread reads"));
            let given_up = timeout(Duration::from_millis(1), second).await;
            assert!(given_up.is_err(), "it waits for its turn");
        }
        let waiting = aside(&turn, || "read");
        drop(release);
        assert_eq!(waiting.await.ok(), Some("read"), "whoever waits has a turn");
    }
}
