//! `trellis token`: bearer tokens, with which a user asks a host over the network.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use trellis_claims::{BearerTerms, Clock, KeyKind, PublicKey, Scope, SystemClock, issue_bearer};
use trellis_control::Answer;
use trellis_core::date::span;
use trellis_keystore::KeyName;
use trellis_keystore::destination::{self, Existing, Privacy};
use trellis_limits::fixed::ADMIN_TOKEN_LIFE;

use super::call::timeout;
use super::get::odd;
use super::host::HostChoice;
use super::runtime;
use crate::failure::Failure;
use crate::files;
use crate::key_choice::signer;
use crate::output::Output;

#[derive(Subcommand, Debug)]
pub(crate) enum TokenCommand {
    /// Makes a token for one host, signed with your user key.
    Create(CreateArgs),
}

#[derive(Args, Debug)]
#[command(after_help = "\
The host takes it over its admin address if its manifest names the user's key, under
`host: {admin: {users: [{key: U..., scope: ...}]}}`, with this scope or a larger one. Whoever has
the token may use it, as often as they like, until it ends: there is no way to take one back but to
take the user out of the manifest.
Exit codes: 0 made, 2 the command line is wrong, 3 no such key or host, 5 no host answers.")]
pub(crate) struct CreateArgs {
    /// Who asks: a user key of the keystore, a seed file, or `-` for a seed on stdin; the user key
    /// `default` without it.
    #[arg(short, long, value_name = "KEY")]
    key: Option<String>,

    /// The host it is for: its key (`N...`), or the name or the socket of one of yours that runs.
    #[arg(long, value_name = "HOST")]
    host: Option<String>,

    /// What it is good for.
    #[arg(long, value_enum, default_value_t = ScopeWord::Read)]
    scope: ScopeWord,

    /// How long it holds, such as 10m or 8h; 24h at most.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = timeout)]
    expires: Duration,

    /// Where it goes: a file for you alone (0600), which is replaced. Stdout without it.
    #[arg(short, long, value_name = "FILE")]
    destination: Option<PathBuf>,
}

/// What a token may be good for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum ScopeWord {
    /// To look.
    Read,
    /// Also to call actors.
    Operate,
    /// Also to change what runs.
    Admin,
}

/// A token that was made.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    /// The token, unless it went into a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<PathBuf>,
    user: String,
    host: String,
    scope: &'static str,
    /// In seconds since 1970.
    expires: u64,
    expires_human: String,
}

impl TokenCommand {
    pub(crate) fn run(&self, output: Output) -> Result<(), Failure> {
        match self {
            Self::Create(args) => create(args, output),
        }
    }
}

fn create(args: &CreateArgs, output: Output) -> Result<(), Failure> {
    let life_s = life_s(args.expires)?;
    let user = signer(args.key.as_deref(), KeyKind::User, &KeyName::default(), false, output)?;
    let host = host(args.host.as_deref(), output)?;
    let now = SystemClock.now_unix_s();
    let terms = BearerTerms {
        audience: host,
        scope: args.scope.into(),
        issued_at: now,
        expires: now.saturating_add(life_s),
    };
    let token = issue_bearer(&terms, &user.pair)?;
    let created = Created {
        token: None,
        destination: args.destination.clone(),
        user: user.pair.public().to_string(),
        host: terms.audience.to_string(),
        scope: terms.scope.as_str(),
        expires: terms.expires,
        expires_human: format!("in {}", span(life_s)),
    };
    match &args.destination {
        Some(path) if !files::is_stdout(path) => {
            write(path, &token)?;
            output.show(&created)
        }
        _ if output.is_document() => {
            output.document(&Created { token: Some(token), destination: None, ..created })
        }
        _ => {
            output.note(created.to_string().trim_end());
            output.line(&token)
        }
    }
}

/// For how long a token holds, in seconds.
fn life_s(expires: Duration) -> Result<u64, Failure> {
    let most = Duration::from_millis(ADMIN_TOKEN_LIFE.default);
    match expires.as_secs() {
        0 => Err(Failure::usage("a token has to hold for a second at least")),
        _ if expires > most => {
            let (most, name) = (ADMIN_TOKEN_LIFE.written_default(), ADMIN_TOKEN_LIFE.name);
            let message =
                format!("no host takes a token that holds for longer than {most} ({name})");
            Err(Failure::usage(message)
                .cure("Give --expires less time, and make another one then."))
        }
        life_s => Ok(life_s),
    }
}

/// The key of the host that is meant. One that is asked over the network could name another host's,
/// and use the token there: so the user says which key it is to be.
fn host(wanted: Option<&str>, output: Output) -> Result<PublicKey, Failure> {
    if let Some(key) = wanted.and_then(|text| PublicKey::parse_kind(text, KeyKind::Server).ok()) {
        return Ok(key);
    }
    if wanted.is_some_and(|text| text.contains("://")) {
        return Err(Failure::usage("a host that is asked over the network is named by its key").cure(
            "Take the key (`N...`) from whoever runs it: `trellis get hosts -o wide` shows it there.",
        ));
    }
    let choice = HostChoice::named(wanted);
    let answer =
        runtime::block_on(async { Ok(choice.client(output).await?.get(&["host"]).await?) })?;
    match answer {
        Answer::Host(host) => Ok(PublicKey::parse_kind(&host.key, KeyKind::Server)?),
        _ => Err(odd()),
    }
}

fn write(path: &Path, token: &str) -> Result<(), Failure> {
    let text = format!("{token}\n");
    destination::write(path, text.as_bytes(), Privacy::OwnerOnly, Existing::Replace)
        .map_err(|error| Failure::file(format!("cannot write {}", path.display()), &error))
}

impl From<ScopeWord> for Scope {
    fn from(word: ScopeWord) -> Self {
        match word {
            ScopeWord::Read => Self::Read,
            ScopeWord::Operate => Self::Operate,
            ScopeWord::Admin => Self::Admin,
        }
    }
}

impl fmt::Display for Created {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.destination {
            Some(path) => writeln!(f, "made a token in {}", path.display())?,
            None => writeln!(f, "made a token")?,
        }
        writeln!(f, "  user     {}", self.user)?;
        writeln!(f, "  host     {}", self.host)?;
        writeln!(f, "  scope    {}", self.scope)?;
        writeln!(f, "  expires  {}", self.expires_human)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_holds_as_long_as_a_host_takes_it() {
        let most = Duration::from_millis(ADMIN_TOKEN_LIFE.default);
        assert_eq!(life_s(most).ok(), Some(86_400));
        for wrong in [Duration::from_millis(999), most + Duration::from_millis(1), Duration::MAX] {
            assert!(life_s(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn who_is_asked_over_the_network_is_not_asked_for_its_key() {
        use clap::Parser;
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            args: CreateArgs,
        }
        let line = ["create", "--host", "http://127.0.0.1:1", "--expires", "8h"];
        let args = Line::try_parse_from(line).expect("a command line").args;
        assert_eq!((args.scope, args.expires), (ScopeWord::Read, Duration::from_secs(28_800)));
        let global = crate::global::Global {
            output: crate::global::Form::Text,
            quiet: true,
            color: crate::global::Color::Never,
        };
        let failure = host(args.host.as_deref(), Output::new(&global)).expect_err("by its key");
        assert!(failure.message().contains("by its key"), "{failure}");
    }
}
