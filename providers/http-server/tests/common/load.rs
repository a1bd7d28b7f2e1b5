//! Clients that see every request that is lost.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::task::JoinHandle;

use super::Client;

/// Clients that never stop asking, one over a kept connection, one over a new one each time.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<()>>,
}

impl Load {
    pub(crate) fn on(address: SocketAddr) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let tasks = [true, true, false].map(|kept| {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            tokio::spawn(async move {
                let mut client = Client::new(address).await;
                while !stop.load(Ordering::Relaxed) {
                    let got = client.get("/").await;
                    assert_eq!(got.status, 200, "{got:?}");
                    assert_eq!(got.field("connection"), None, "the connection goes on");
                    answered.fetch_add(1, Ordering::Relaxed);
                    if !kept {
                        client = Client::new(address).await;
                    }
                }
            })
        });
        Self { stop, answered, tasks: tasks.into() }
    }

    /// Waits until more were answered.
    pub(crate) async fn go_on(&self) {
        let enough = self.answered.load(Ordering::Relaxed) + 20;
        super::until(|| {
            let dead = self.tasks.iter().any(JoinHandle::is_finished);
            dead || self.answered.load(Ordering::Relaxed) > enough
        })
        .await;
    }

    pub(crate) async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.expect("no request was lost");
        }
    }
}
