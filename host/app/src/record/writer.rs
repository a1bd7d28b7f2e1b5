//! The one task that writes a record down.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::content::Content;
use super::place::{Known, Place};

/// When a record that could not be written is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// Writes what is wanted, the latest only, until nobody can want anything any more.
pub(super) async fn write_all(
    place: Arc<Place>,
    known: Arc<Mutex<Known>>,
    unwritten: Arc<watch::Sender<Option<Content>>>,
) {
    let mut wanted = unwritten.subscribe();
    loop {
        let is_unkept = known.lock().is_unkept;
        let content = tokio::select! {
            found = wanted.wait_for(Option::is_some) => match found.map(|found| found.clone()) {
                Ok(Some(content)) => content,
                _ => return,
            },
            () = tokio::time::sleep(RETRY_AFTER), if is_unkept => known.lock().content.clone(),
        };
        let (place, known, now) = (Arc::clone(&place), Arc::clone(&known), content.clone());
        // A panic is logged where it happened.
        let _ = spawn_blocking(move || {
            let kept = place.keep(&now, &known);
            let before = std::mem::replace(&mut known.lock().is_unkept, kept.is_err());
            if let Err(error) = kept
                && !before
            {
                let file = place.file().unwrap_or_default();
                let (file, after) = (file.display(), RETRY_AFTER.as_secs());
                tracing::warn!(
                    %file, %error,
                    "what runs is not kept for the next start; that is tried again every {after} s"
                );
            }
        })
        .await;
        unwritten.send_if_modified(|latest| {
            let done = latest.as_ref() == Some(&content);
            if done {
                *latest = None;
            }
            done
        });
    }
}
