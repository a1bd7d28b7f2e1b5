//! The hosts of a user.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use trellis_control::{Answer, HostEntry};

use super::ask::AdminClient;
use super::error::ClientError;
use crate::sockets::{EXTENSION, folders, may_be_of};

/// Most sockets that are looked at; more hosts than that run on no machine.
const SOCKETS_MAX: usize = 256;
/// Longest wait for a disk that lists them, and then for the hosts, which are asked all at once:
/// who they are is no work for them.
const FINDING_TIME_MAX: Duration = Duration::from_secs(2);

/// A host that runs, as far as can be seen, and does not answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SilentHost {
    /// The name of its socket, where the user's sockets are.
    name: String,
    why: String,
}

impl SilentHost {
    /// Whether it may be the host of that name, with its process id or without.
    #[must_use]
    pub fn may_be(&self, wanted: &str) -> bool {
        may_be_of(&self.name, wanted)
    }

    /// Its name with its process id, as its socket has it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for SilentHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// Every host of this user that answers, in the order of their names; and those that run and do not
/// answer. One that is silent holds up nobody for longer than `within`, or two seconds. A socket
/// elsewhere than in the user's own folders is found by the link that its host makes there.
pub async fn hosts(within: Duration) -> (Vec<(AdminClient, HostEntry)>, Vec<SilentHost>) {
    let within = within.min(FINDING_TIME_MAX);
    let listing = timeout(within, spawn_blocking(sockets)).await;
    let sockets = listing.ok().and_then(Result::ok).unwrap_or_default();
    let asking = sockets.into_iter().map(|(socket, name)| async move {
        let client = AdminClient::at(socket);
        let answer = client.clone().waiting(within).get(&["host"]).await;
        (client, name, answer)
    });
    let (mut hosts, mut silent) = (Vec::new(), Vec::new());
    for (client, name, answer) in join_all(asking).await {
        let why = match answer {
            Ok(Answer::Host(host)) => {
                hosts.push((client, *host));
                continue;
            }
            Err(ClientError::Gone { .. }) => continue,
            Ok(_) => format!("{} is no host's", client.place()),
            Err(error) => error.to_string(),
        };
        silent.push(SilentHost { name, why });
    }
    hosts.sort_by(|(_, one), (_, other)| (&one.name, one.pid).cmp(&(&other.name, other.pid)));
    (hosts, silent)
}

/// The sockets in the user's folders, as far as they can be read, each once, with their names
/// there.
fn sockets() -> BTreeMap<PathBuf, String> {
    let files = folders().into_iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
    let paths = files.filter_map(|file| Some(file.ok()?.path()));
    paths.filter_map(|path| socket(&path)).take(SOCKETS_MAX).collect()
}

/// Where a socket is, and what it is called; `None` for what is none, and for a link to nothing.
fn socket(path: &Path) -> Option<(PathBuf, String)> {
    path.extension().filter(|extension| *extension == EXTENSION)?;
    let name = path.file_stem()?.to_string_lossy().into_owned();
    Some((fs::canonicalize(path).ok()?, name))
}
