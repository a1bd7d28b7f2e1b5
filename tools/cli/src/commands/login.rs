//! `trellis login` and `trellis logout`: credentials for a registry, where docker keeps them.

use std::fmt;
use std::io::{IsTerminal, Read};

use clap::Args;
use serde::Serialize;
use trellis_artifacts::{Credentials, Login, is_registry};
use trellis_core::Code;
use zeroize::Zeroizing;

use super::runtime;
use crate::failure::Failure;
use crate::output::Output;
use crate::registry::{self, RegistryArgs};

/// Longest password or token, in bytes.
const PASSWORD_BYTES_MAX: u64 = 64 << 10;

#[derive(Args, Debug)]
#[command(after_help = "\
The registry is asked first: what it refuses is not kept. Credentials are kept where docker keeps
them, in ~/.docker/config.json (0600) or by the program that this file names; `DOCKER_CONFIG` names
another folder.")]
pub(crate) struct LoginArgs {
    /// The registry as images have it, such as ghcr.io or localhost:5000.
    registry: String,

    /// The user.
    #[arg(short, long, value_name = "NAME")]
    username: String,

    /// Reads the password or the token from stdin: what is typed as an argument, others can see.
    #[arg(long, required = true)]
    password_stdin: bool,

    #[command(flatten)]
    how: RegistryArgs,
}

#[derive(Args, Debug)]
pub(crate) struct LogoutArgs {
    /// The registry as images have it.
    registry: String,
}

/// What it came to.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    registry: String,
    /// `logged in`, `logged out` or `unchanged`.
    result: &'static str,
    /// What keeps the credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_by: Option<String>,
}

pub(crate) fn log_in(args: &LoginArgs, output: Output) -> Result<(), Failure> {
    check(&args.registry)?;
    if args.username.is_empty() || args.username.contains([':', '\n']) {
        return Err(Failure::usage("a user's name is not empty, and has no `:` in it"));
    }
    let login = Login::new(args.username.clone(), password()?);
    let kept_by = runtime::block_on(async {
        let plain_http = args.how.plain_http;
        registry::registries().check_login(&args.registry, &login, plain_http).await?;
        Ok(Credentials::of_user().keep(&args.registry, &login).await?)
    });
    let kept_by = kept_by.map_err(|failure| failure.about(&args.registry))?;
    let registry = args.registry.clone();
    output.show(&Shown { registry, result: "logged in", kept_by: Some(kept_by) })
}

pub(crate) fn log_out(args: &LogoutArgs, output: Output) -> Result<(), Failure> {
    check(&args.registry)?;
    let forgotten =
        runtime::block_on(async { Ok(Credentials::of_user().forget(&args.registry).await?) })?;
    let result = if forgotten { "logged out" } else { "unchanged" };
    output.show(&Shown { registry: args.registry.clone(), result, kept_by: None })
}

fn check(registry: &str) -> Result<(), Failure> {
    if is_registry(registry) {
        return Ok(());
    }
    let message = format!("`{}` is no registry", registry.escape_debug());
    Err(Failure::new(Code::Image, message)
        .cure("Write a host as images have it, such as `localhost:5000`, without a scheme."))
}

/// What is on stdin, without the end of its line.
fn password() -> Result<Zeroizing<String>, Failure> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(Failure::usage("a password would be shown while it is typed")
            .cure("Pipe it in: `trellis login ... --password-stdin < FILE`."));
    }
    let mut text = Zeroizing::new(String::new());
    let read = stdin.lock().take(PASSWORD_BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(|error| Failure::file("cannot read a password from stdin", &error))?;
    if text.len() as u64 > PASSWORD_BYTES_MAX {
        return Err(Failure::usage("there is too much on stdin for a password"));
    }
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(Failure::usage("there is no password on stdin"));
    }
    Ok(Zeroizing::new(password.to_owned()))
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}", self.result, self.registry)?;
        match &self.kept_by {
            Some(kept_by) => writeln!(f, "  kept by  {kept_by}"),
            None => Ok(()),
        }
    }
}
