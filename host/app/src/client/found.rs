//! The hosts of a user.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use trellis_control::{Answer, HostEntry};

use super::ask::AdminClient;
use super::error::ClientError;
use crate::sockets::{EXTENSION, folders};

/// Most sockets that are looked at; more hosts than that run on no machine.
const SOCKETS_MAX: usize = 256;
/// Longest wait for a disk that lists them.
const LISTING_TIME_MAX: Duration = Duration::from_secs(5);

/// Every host of this user that answers, in the order of their names; and the sockets of those that
/// run and do not answer, with the reason. Sockets elsewhere than in the user's own folders are not
/// found.
pub async fn hosts() -> (Vec<(AdminClient, HostEntry)>, Vec<String>) {
    let listing = timeout(LISTING_TIME_MAX, spawn_blocking(sockets)).await;
    let sockets = listing.ok().and_then(Result::ok).unwrap_or_default();
    let asking = sockets.into_iter().map(|socket| async {
        let client = AdminClient::at(socket);
        let answer = client.get(&["host"]).await;
        (client, answer)
    });
    let (mut hosts, mut silent) = (Vec::new(), Vec::new());
    for (client, answer) in join_all(asking).await {
        match answer {
            Ok(Answer::Host(host)) => hosts.push((client, *host)),
            Ok(_) => silent.push(format!("{} is no host's", client.socket().display())),
            Err(ClientError::Gone { .. }) => {}
            Err(error) => silent.push(error.to_string()),
        }
    }
    hosts.sort_by(|(_, one), (_, other)| (&one.name, one.pid).cmp(&(&other.name, other.pid)));
    (hosts, silent)
}

/// The sockets in the user's folders, as far as they can be read.
fn sockets() -> Vec<PathBuf> {
    let files = folders().into_iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
    let paths = files.filter_map(|file| Some(file.ok()?.path()));
    let sockets = paths.filter(|path| path.extension().is_some_and(|it| it == EXTENSION));
    sockets.take(SOCKETS_MAX).collect()
}
