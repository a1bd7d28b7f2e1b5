//! Which host a command asks, and for how long.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use trellis_app::{AdminClient, ClientError, SilentHost};
use trellis_control::HostEntry;
use trellis_core::{Code, nearest_name};

use super::call::timeout;
use super::complete;
use crate::contexts::Contexts;
use crate::failure::Failure;
use crate::files;
use crate::output::Output;

/// Longest wait for hosts that only tell what they know, unless an option says otherwise.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// Who may read the file of a token beside its user.
const OTHERS_MAY_READ: u32 = 0o044;
/// Where a token may be that no option names a file of.
const TOKEN_VARIABLE: &str = "TRELLIS_TOKEN";

/// Which host is asked.
#[derive(Args, Clone, Default, Debug)]
pub(super) struct HostChoice {
    /// The host: its name, its name and process id (`shop-4711`), the path of its admin socket, or
    /// the URL of its admin address (`http://127.0.0.1:9090`). Without it, the only one of yours
    /// that runs.
    #[arg(long, value_name = "HOST", env = "TRELLIS_HOST", add = complete::hosts())]
    host: Option<String>,

    /// The file with a token, for a host that is named by its URL: `trellis token create` makes
    /// one. Without it, the variable TRELLIS_TOKEN holds the token itself.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// The host by a name that `trellis context create` gave it; without it the context in use.
    #[arg(long, value_name = "NAME", env = "TRELLIS_CONTEXT", add = complete::contexts())]
    context: Option<String>,

    /// Contexts are not asked for.
    #[arg(skip)]
    is_own: bool,

    /// The line is still being typed, so a token is only looked for where reading waits for nobody
    /// and takes nothing away: not in a pipe.
    #[arg(skip)]
    is_typed: bool,
}

/// For how long it is asked.
#[derive(Args, Clone, Copy, Default, Debug)]
pub(super) struct Patience {
    /// Longest wait for all of it, such as 500ms or 30s; 10s without it.
    #[arg(long, value_name = "TIME", value_parser = timeout)]
    timeout: Option<Duration>,
}

/// Hosts that answered.
pub(super) type Hosts = Vec<(AdminClient, HostEntry)>;

/// Hosts that run, and those of them that do not answer.
pub(super) struct Found {
    pub(super) hosts: Hosts,
    silent: Vec<SilentHost>,
}

impl Patience {
    /// When the wait ends that begins now.
    pub(super) fn deadline(self) -> Instant {
        after(self.timeout.unwrap_or(WAIT_MAX))
    }
}

/// When a wait ends that begins now. One that no clock can show is a day.
pub(super) fn after(wait: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(wait).unwrap_or(now + Duration::from_secs(24 * 60 * 60))
}

impl HostChoice {
    /// The host of this name on this machine, or the only one of yours, whatever context is in use.
    pub(super) fn named(host: Option<&str>) -> Self {
        Self { host: host.map(str::to_owned), is_own: true, ..Self::default() }
    }

    /// The host that a line means which is still being typed.
    pub(super) fn typed(words: &[String]) -> Self {
        let typed = |option: &str| {
            let value = |(place, word): (usize, &String)| {
                let rest = word.strip_prefix(option)?;
                match rest.strip_prefix('=') {
                    Some(value) => Some(value.to_owned()),
                    None if !rest.is_empty() => None,
                    None => words.get(place + 1).cloned(),
                }
            };
            words.iter().enumerate().rev().find_map(value).filter(|value| !value.is_empty())
        };
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let host = typed("--host").or_else(|| set("TRELLIS_HOST"));
        let context = typed("--context").or_else(|| set("TRELLIS_CONTEXT"));
        let token_file = typed("--token-file").map(PathBuf::from);
        Self { host, token_file, context, is_own: false, is_typed: true }
    }

    /// The same with what a context says, if one is meant.
    ///
    /// # Errors
    /// When there is no such context, or its file is not to be used.
    pub(super) fn resolved(&self) -> Result<Self, Failure> {
        let mut choice = self.clone();
        choice.context = None;
        match (&self.host, &self.context) {
            (Some(_), Some(_)) => {
                return Err(Failure::usage("a host and a context are named, and one is meant")
                    .cure(
                        "Leave out `--host` and TRELLIS_HOST, or `--context` and TRELLIS_CONTEXT.",
                    ));
            }
            (None, None) if self.is_own => {}
            (None, named) => {
                let contexts = Contexts::load()?;
                let context = match named {
                    Some(name) => Some(contexts.get(name)?),
                    None => contexts.current()?,
                };
                if let Some(context) = context {
                    choice.host = Some(context.host.clone());
                    choice.token_file = choice.token_file.or_else(|| context.token_file.clone());
                }
            }
            (Some(_), None) => {}
        }
        Ok(choice)
    }

    /// The host's socket or address, when the choice is one.
    ///
    /// # Errors
    /// When it is a URL of something else, or the token cannot be read.
    pub(super) fn direct(&self, output: Output) -> Result<Option<AdminClient>, Failure> {
        let Some(host) = &self.host else { return Ok(None) };
        if host.contains("://") {
            let client = AdminClient::over(host, self.token(output)?).map_err(Failure::usage)?;
            if !client.is_local() {
                output.note(format_args!(
                    "warning: {} is asked over plain HTTP: others on the way can read the token",
                    client.place()
                ));
            }
            return Ok(Some(client));
        }
        if self.token_file.is_some() {
            let text =
                "a token is for a `--host` that is a URL: over a socket you are the host's user";
            let cure =
                "Leave out `--token-file`, or name the host by the URL of its admin address.";
            return Err(Failure::usage(text).cure(cure));
        }
        Ok(host.contains('/').then(|| AdminClient::at(PathBuf::from(host))))
    }

    /// The token that is shown, if there is one.
    fn token(&self, output: Output) -> Result<Option<String>, Failure> {
        let text = match &self.token_file {
            Some(path) if self.is_typed && !path.is_file() => None,
            Some(path) => {
                if may_be_read_by_others(path) {
                    let path = path.display();
                    output.note(format_args!(
                        "warning: others may read {path}, and use its token until it ends: \
                         `chmod 600 {path}`"
                    ));
                }
                Some(token_in(path)?)
            }
            None => std::env::var(TOKEN_VARIABLE).ok(),
        };
        let text = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        match text {
            Some(text) if !is_like_a_token(&text) => {
                let text = "what is shown as a token is none, and is sent to nobody";
                Err(Failure::usage(text)
                    .cure("`trellis token create` makes one, with a key that stays in its file."))
            }
            text => Ok(text),
        }
    }

    /// True when one host is meant.
    pub(super) const fn is_made(&self) -> bool {
        self.host.is_some() || self.context.is_some()
    }

    /// The one that is meant.
    ///
    /// # Errors
    /// That none runs or answers, that none of those that run is meant, or that several may be.
    pub(super) async fn client(&self, output: Output) -> Result<AdminClient, Failure> {
        self.client_until(Patience::default().deadline(), output).await
    }

    /// The one that is meant, which is waited for until `deadline`, as is its answer.
    ///
    /// # Errors
    /// As [`client`](Self::client).
    pub(super) async fn client_until(
        &self,
        deadline: Instant,
        output: Output,
    ) -> Result<AdminClient, Failure> {
        let choice = self.resolved()?;
        let client = match choice.direct(output)? {
            Some(client) => client,
            None => choice.choose(found(deadline, output).await)?.0,
        };
        Ok(client.waiting(left(deadline)))
    }

    /// The one of these that is meant.
    ///
    /// # Errors
    /// As [`client`](Self::client).
    pub(super) fn choose(&self, found: Found) -> Result<(AdminClient, HostEntry), Failure> {
        let Found { mut hosts, silent } = found;
        let Some(wanted) = &self.host else {
            return match (hosts.len(), silent.first()) {
                (1, _) => Ok(hosts.swap_remove(0)),
                (0, None) => Err(Failure::new(Code::NoHost, "no host of yours runs")),
                (0, Some(silent)) => Err(unanswered(silent)),
                _ => Err(several("several hosts run", &hosts, &[])),
            };
        };
        let silent: Vec<_> = silent.into_iter().filter(|it| it.may_be(wanted)).collect();
        let is_meant = |host: &HostEntry| host.name == *wanted || label(host) == *wanted;
        let (mut named, others): (Hosts, Hosts) =
            hosts.into_iter().partition(|(_, host)| is_meant(host));
        match (&*named, &*silent) {
            ([_], []) => Ok(named.swap_remove(0)),
            ([], []) => Err(unknown(wanted, &others)),
            ([], [silent]) => Err(unanswered(silent)),
            _ => Err(several(&format!("several hosts may be `{wanted}`"), &named, &silent)),
        }
    }
}

/// The hosts of this user, none of which is waited for longer than until `deadline`; says which do
/// not answer.
pub(super) async fn found(deadline: Instant, output: Output) -> Found {
    let (hosts, silent) = trellis_app::hosts(left(deadline)).await;
    silent.iter().for_each(|why| output.note(format_args!("warning: {why}")));
    Found { hosts, silent }
}

/// What is left of a wait.
pub(super) fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// What sets a host apart from all others of a machine.
pub(super) fn label(host: &HostEntry) -> String {
    format!("{}-{}", host.name, host.pid)
}

/// Three parts, as every JWT has: a seed has one, and must not leave the machine.
fn is_like_a_token(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it))
    };
    text.split('.').count() == 3 && text.split('.').all(is_part)
}

/// Whether a file with a token is not its user's alone. What is no file, such as a pipe, has no
/// readers but this one.
fn may_be_read_by_others(path: &Path) -> bool {
    fs::metadata(path)
        .is_ok_and(|it| it.is_file() && it.permissions().mode() & OTHERS_MAY_READ != 0)
}

fn token_in(path: &Path) -> Result<String, Failure> {
    let text = String::from_utf8(files::read_input(path)?);
    text.map_err(|_| Failure::usage(format!("{} holds no token: it is no text", path.display())))
}

fn several(what: &str, hosts: &Hosts, silent: &[SilentHost]) -> Failure {
    let hosts = hosts.iter().map(|(_, host)| label(host));
    let silent = silent.iter().map(|it| format!("{} (which does not answer)", it.name()));
    let labels: Vec<_> = hosts.chain(silent).collect();
    let message = format!("{what}: {}", labels.join(", "));
    Failure::usage(message).cure(
        "Say which with `--host`: by name and process id, or by the path of its socket; `trellis \
         get hosts -o wide` shows both.",
    )
}

fn unanswered(silent: &SilentHost) -> Failure {
    Failure::new(Code::NoHost, silent.to_string()).cure(SILENT)
}

/// What to do about a host that is there and says nothing.
const SILENT: &str = "Look at its log: it may be stopped (SIGSTOP), hang, or have much to do. \
                      `--timeout` waits longer.";

fn unknown(wanted: &str, hosts: &Hosts) -> Failure {
    if hosts.is_empty() {
        return Failure::new(Code::NoHost, format!("no host `{wanted}` runs"));
    }
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
            ClientError::Late { .. } => Self::new(Code::NoHost, message).cure(SILENT),
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

    #[test]
    fn a_line_that_is_typed_says_which_host_is_meant() {
        let typed = |line: &str| {
            let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
            HostChoice::typed(&words).host
        };
        for line in ["stop --host shop actor", "--host=shop x", "--host a --host shop"] {
            assert_eq!(typed(line).as_deref(), Some("shop"), "{line}");
        }
        for line in ["stop actor", "stop --host", "--hosts shop", "--host="] {
            assert_eq!(typed(line), None, "{line}");
        }
    }

    #[test]
    fn a_key_is_no_token() {
        assert!(is_like_a_token("eyJ0.eyJh-_.c2ln"));
        for text in ["SUAPTE3W", "a.b", "a..c", "a.b.c.d", "a b.c.d", "a.b.c\nd"] {
            assert!(!is_like_a_token(text), "{text}");
        }
        let token_file = Some(PathBuf::from("t.jwt"));
        let host = Some("shop".to_owned());
        let choice = HostChoice { host, token_file, ..HostChoice::default() };
        let (output, color) = (crate::global::Form::Text, crate::global::Color::Never);
        let output = Output::new(&crate::global::Global { output, quiet: true, color });
        assert!(choice.direct(output).is_err(), "over a socket nobody shows one");
    }

    fn chosen(wanted: Option<&str>, running: &[(&str, u32)]) -> Result<u32, Failure> {
        let choice = HostChoice::named(wanted);
        let found = Found { hosts: hosts(running), silent: Vec::new() };
        Ok(choice.choose(found)?.1.pid)
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
        // One is called as another is by its name and its process.
        let both = chosen(Some("shop-9"), &[("shop", 9), ("shop-9", 4)]).expect_err("two");
        assert_eq!(both.exit(), Exit::Usage);
        assert!(both.message().contains("shop-9, shop-9-4"), "{both}");
    }
}
