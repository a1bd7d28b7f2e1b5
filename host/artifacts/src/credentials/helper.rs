//! Programs that keep credentials: `docker-credential-NAME`, which is told on its standard input
//! what is wanted, and answers on its standard output.

use std::fmt;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::time::timeout;
use trellis_core::{CallError, Code};
use trellis_limits::fixed::CREDENTIAL_HELPER;
use zeroize::Zeroizing;

use super::login::Login;

/// More than an answer has, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 << 10;
/// What a program says that has no credentials for a server.
const NONE: &str = "credentials not found";
/// The user for whom a program gives a token that is no password.
const TOKEN_USER: &str = "<token>";

/// A program that keeps credentials.
#[derive(Debug)]
pub(super) struct Helper {
    program: String,
}

/// What it answers to `get`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

impl Helper {
    /// The program of this name; `None` for what is no name.
    pub(super) fn new(name: &str) -> Option<Self> {
        let is_named = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let program = format!("docker-credential-{name}");
        name.bytes().all(is_named).then_some(Self { program })
    }

    /// The credentials for a server, if it has any.
    ///
    /// # Errors
    /// [`Code::Credentials`] when it fails, takes too long, or answers something else.
    pub(super) async fn get(&self, server: &str) -> Result<Option<Login>, CallError> {
        let (is_well, answer) = self.run("get", server.as_bytes()).await?;
        if !is_well {
            let said = String::from_utf8_lossy(&answer);
            return if said.contains(NONE) { Ok(None) } else { Err(self.failed("it fails")) };
        }
        let answer: Answer =
            serde_json::from_slice(&answer).map_err(|_| self.failed("its answer is none"))?;
        if answer.username == TOKEN_USER {
            return Err(self.failed("it has a token of a kind that is not used here"));
        }
        Ok(Some(Login::new(answer.username, Zeroizing::new(answer.secret))))
    }

    /// Has it keep credentials.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(super) async fn store(&self, server: &str, login: &Login) -> Result<(), CallError> {
        let told = json!({
            "ServerURL": server, "Username": login.username, "Secret": *login.password
        });
        self.told("store", Zeroizing::new(told.to_string()).as_bytes()).await
    }

    /// Has it forget the credentials for a server.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(super) async fn erase(&self, server: &str) -> Result<(), CallError> {
        self.told("erase", server.as_bytes()).await
    }

    async fn told(&self, verb: &str, input: &[u8]) -> Result<(), CallError> {
        let (is_well, _) = self.run(verb, input).await?;
        if is_well { Ok(()) } else { Err(self.failed("it fails")) }
    }

    /// Whether it did what it was told, and what it says.
    async fn run(&self, verb: &str, input: &[u8]) -> Result<(bool, Zeroizing<Vec<u8>>), CallError> {
        let mut command = Command::new(&self.program);
        command.arg(verb).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let started = command.spawn();
        let mut child = started.map_err(|error| self.failed(&error.to_string()))?;
        let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(self.failed("it has no standard streams"));
        };
        let talking = async {
            let mut answer = Zeroizing::new(Vec::new());
            stdin.write_all(input).await?;
            drop(stdin);
            stdout.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
            Ok::<_, std::io::Error>((child.wait().await?.success(), answer))
        };
        let time = Duration::from_millis(CREDENTIAL_HELPER.default);
        let talked = timeout(time, talking).await.map_err(|_| {
            self.failed(&format!("it does not answer in time ({})", CREDENTIAL_HELPER.name))
        })?;
        talked.map_err(|error| self.failed(&error.to_string()))
    }

    fn failed(&self, why: &str) -> CallError {
        let message = format!("the program {} gives no credentials: {why}", self.program);
        CallError::new(Code::Credentials, message)
    }
}

impl fmt::Display for Helper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.program)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;
    use std::process::Command;
    use std::time::Instant;

    use super::*;

    /// Another process writes it: what this one had open for writing, whoever is being started
    /// meanwhile by another test would have as well, and such a file is not run.
    fn helper(folder: &Path, lines: &str) -> Helper {
        let program = folder.join("docker-credential-test");
        let mut install = Command::new("install");
        install.args(["-m", "755", "/dev/stdin"]).arg(&program).stdin(Stdio::piped());
        let mut install = install.spawn().expect("install is there");
        let mut stdin = install.stdin.take().expect("it is piped");
        stdin.write_all(format!("#!/bin/sh\n{lines}\n").as_bytes()).expect("it reads");
        drop(stdin);
        assert!(install.wait().expect("it ends").success());
        Helper { program: program.to_str().expect("a plain path").to_owned() }
    }

    /// True while a process runs this program.
    fn runs(program: &str) -> bool {
        let processes = std::fs::read_dir("/proc").expect("the processes");
        processes.flatten().any(|process| {
            let words = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&words).contains(program)
        })
    }

    /// Time that only passes when nothing happens, so that ten seconds are over at once.
    #[tokio::test(start_paused = true)]
    async fn one_that_does_not_answer_is_ended_and_nothing_is_asked() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let helper = helper(folder.path(), "while :; do :; done");
        let error = helper.get("registry.example.com").await.expect_err("it hangs");
        assert_eq!(error.code(), Code::Credentials);
        assert!(error.message().contains(CREDENTIAL_HELPER.name), "{error}");
        let since = Instant::now();
        while runs(&helper.program) {
            assert!(since.elapsed() < Duration::from_secs(30), "it still runs");
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn one_that_answers_in_time_is_believed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let answer = r#"cat > /dev/null; echo '{"Username": "ada", "Secret": "canary"}'"#;
        let helper = helper(folder.path(), answer);
        let login = helper.get("registry.example.com").await.expect("it answers");
        assert_eq!(login.expect("it has one").username, "ada");
    }
}
