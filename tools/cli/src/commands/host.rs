//! Which host a command asks.

use std::path::PathBuf;

use clap::Args;
use trellis_app::{AdminClient, ClientError};
use trellis_control::HostEntry;
use trellis_core::{Code, nearest_name};

use crate::failure::Failure;
use crate::output::Output;

/// Which host is asked.
#[derive(Args, Clone, Debug)]
pub(super) struct HostChoice {
    /// The host: its name, its name and process id (`shop-4711`), or the path of its admin socket.
    /// Without it, the only one of yours that runs.
    #[arg(long, value_name = "HOST", env = "TRELLIS_HOST")]
    host: Option<String>,
}

/// Hosts that answered.
pub(super) type Hosts = Vec<(AdminClient, HostEntry)>;

impl HostChoice {
    /// The host's socket, when the choice is one.
    pub(super) fn socket(&self) -> Option<AdminClient> {
        let path = self.host.as_ref().filter(|host| host.contains('/'))?;
        Some(AdminClient::at(PathBuf::from(path)))
    }

    /// True when one host is meant.
    pub(super) const fn is_made(&self) -> bool {
        self.host.is_some()
    }

    /// The one that is meant.
    ///
    /// # Errors
    /// That none runs, that none of those that run is meant, or that several may be.
    pub(super) async fn client(&self, output: Output) -> Result<AdminClient, Failure> {
        match self.socket() {
            Some(client) => Ok(client),
            None => Ok(self.choose(found(output).await)?.0),
        }
    }

    /// The one of these that is meant.
    ///
    /// # Errors
    /// As [`client`](Self::client).
    pub(super) fn choose(&self, mut hosts: Hosts) -> Result<(AdminClient, HostEntry), Failure> {
        let Some(wanted) = &self.host else {
            return match hosts.len() {
                1 => Ok(hosts.swap_remove(0)),
                0 => Err(Failure::new(Code::NoHost, "no host of yours runs")),
                _ => Err(several("several hosts run", &hosts)),
            };
        };
        if hosts.is_empty() {
            return Err(Failure::new(Code::NoHost, format!("no host `{wanted}` runs")));
        }
        if let Some(place) = hosts.iter().position(|(_, host)| label(host) == *wanted) {
            return Ok(hosts.swap_remove(place));
        }
        let (mut named, others): (Hosts, Hosts) =
            hosts.into_iter().partition(|(_, host)| host.name == *wanted);
        match named.len() {
            1 => Ok(named.swap_remove(0)),
            0 => Err(unknown(wanted, &others)),
            _ => Err(several(&format!("several hosts are called `{wanted}`"), &named)),
        }
    }
}

/// The hosts of this user that answer; says which do not.
pub(super) async fn found(output: Output) -> Hosts {
    let (hosts, silent) = trellis_app::hosts().await;
    silent.iter().for_each(|why| output.note(format_args!("warning: {why}")));
    hosts
}

/// What sets a host apart from all others of a machine.
pub(super) fn label(host: &HostEntry) -> String {
    format!("{}-{}", host.name, host.pid)
}

fn several(what: &str, hosts: &Hosts) -> Failure {
    let labels: Vec<_> = hosts.iter().map(|(_, host)| label(host)).collect();
    let message = format!("{what}: {}", labels.join(", "));
    Failure::usage(message).cure("Say which with `--host NAME`; `trellis get hosts` shows them.")
}

fn unknown(wanted: &str, hosts: &Hosts) -> Failure {
    let names: Vec<_> = hosts.iter().map(|(_, host)| &*host.name).collect();
    let message = format!("no host `{wanted}` runs; there is {}", names.join(", "));
    let failure = Failure::new(Code::NotFound, message);
    match nearest_name(wanted, names.iter().copied()) {
        Some(near) => failure.cure(format!("Did you mean `--host {near}`?")),
        None => failure.cure("`trellis get hosts` shows those that run."),
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let message = error.to_string();
        match error {
            ClientError::Refused(fault) => Self::new(fault.code, message).cure(fault.cure),
            ClientError::Unreachable { .. } | ClientError::Gone { .. } => {
                Self::new(Code::NoHost, message)
            }
            ClientError::Forbidden { .. } | ClientError::Foreign { .. } => {
                Self::new(Code::Denied, message).cure("Ask as the user that runs the host.")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use trellis_app::Exit;
    use trellis_control::Phase;

    use super::*;

    fn hosts(names: &[(&str, u32)]) -> Hosts {
        let host = |(name, pid): &(&str, u32)| {
            let entry = HostEntry {
                name: (*name).to_owned(),
                key: "N".to_owned(),
                version: "1".to_owned(),
                pid: *pid,
                phase: Phase::Ready,
                started_unix_s: 0,
                manifest: "a.yaml".to_owned(),
                labels: BTreeMap::new(),
                socket: None,
                admin: None,
            };
            (AdminClient::at(PathBuf::from(name)), entry)
        };
        names.iter().map(host).collect()
    }

    fn chosen(wanted: Option<&str>, running: &[(&str, u32)]) -> Result<u32, Failure> {
        let choice = HostChoice { host: wanted.map(str::to_owned) };
        Ok(choice.choose(hosts(running))?.1.pid)
    }

    #[test]
    fn the_only_host_need_not_be_named() {
        assert_eq!(chosen(None, &[("shop", 7)]).expect("one"), 7);
        let none = chosen(None, &[]).expect_err("none");
        assert_eq!((none.code(), none.exit()), ("E_NO_HOST", Exit::Timeout));
        let several = chosen(None, &[("shop", 7), ("till", 8)]).expect_err("two");
        assert_eq!(several.exit(), Exit::Usage);
        assert!(several.message().contains("shop-7, till-8"), "{several}");
    }

    #[test]
    fn a_host_is_named_by_its_name_or_with_its_process() {
        let three = [("shop", 7), ("shop", 9), ("till", 8)];
        assert_eq!(chosen(Some("till"), &three).expect("one"), 8);
        assert_eq!(chosen(Some("shop-9"), &three).expect("one"), 9);
        assert_eq!(chosen(Some("shop"), &three).expect_err("two").exit(), Exit::Usage);
        let unknown = chosen(Some("tll"), &three).expect_err("none");
        assert_eq!(unknown.exit(), Exit::NotFound);
        assert!(unknown.to_string().contains("--host till"), "{unknown}");
        let none = chosen(Some("till"), &[]).expect_err("none");
        assert_eq!(none.exit(), Exit::Timeout);
    }
}
