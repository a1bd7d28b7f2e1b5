//! `trellis par insert`: one more program in an archive, which is signed again.

use std::path::PathBuf;

use clap::Args;
use trellis_archive::{Form, seal, take_apart};
use trellis_claims::token::Terms;
use trellis_claims::{Clock, KeyKind, SystemClock};
use trellis_keystore::KeyName;

use super::sealed::{Sealed, says_the_same};
use super::target::TargetArgs;
use super::words::{check_program, line};
use crate::failure::Failure;
use crate::files;
use crate::key_choice::signer;
use crate::output::Output;
use crate::terms::{Lifetime, revision};

#[derive(Args, Debug)]
#[command(after_help = "\
What the archive says of itself stays, but for what the options change. An archive of which
anything was changed since it was signed is refused: make it anew.")]
pub(crate) struct InsertArgs {
    /// The archive.
    archive: PathBuf,
    /// The program.
    program: PathBuf,

    /// A number that grows with every release.
    #[arg(short, long = "rev", value_name = "N", allow_negative_numbers = true)]
    #[arg(value_parser = revision)]
    revision: Option<i32>,

    /// A version for people.
    #[arg(short, long = "ver", value_name = "VERSION", value_parser = line)]
    version: Option<String>,

    #[command(flatten)]
    lifetime: Lifetime,

    /// Replaces the program that is there for that platform.
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    target: TargetArgs,

    /// The account that signs: a name, public key or prefix in your keystore, a seed file, or `-`.
    #[arg(short, long, value_name = "KEY", env = "TRELLIS_ISSUER", hide_env_values = true)]
    #[arg(help_heading = "Keys")]
    issuer: Option<String>,

    /// Fails rather than making a key that is missing.
    #[arg(long, help_heading = "Keys")]
    disable_keygen: bool,
}

pub(crate) fn run(args: &InsertArgs, output: Output) -> Result<(), Failure> {
    let path = args.archive.display();
    let target = args.target.target()?;
    let archive = files::read_archive(&args.archive)?;
    let (old, mut programs) =
        take_apart(&archive).map_err(|error| Failure::from(error).about(&path))?;
    let program = files::read_program(&args.program)?;
    check_program(&args.program, &program, &target)?;
    let replaced = programs.insert(target.clone(), program);
    if replaced.is_some_and(|before| before != programs[&target]) && !args.force {
        let message = format!("{path} has another program for {target} already");
        return Err(Failure::usage(message).cure("Replace it with --force."));
    }
    let now = SystemClock.now_unix_s();
    let window = args.lifetime.window(now)?;
    let mut claims = old.body.clone();
    claims.revision = args.revision.or(claims.revision);
    claims.version = args.version.clone().or(claims.version);
    let asked = args.issuer.as_deref();
    let make = !args.disable_keygen;
    let issuer = signer(asked, KeyKind::Account, &KeyName::default(), make, output)?;
    let terms = Terms {
        subject: old.standard.subject.clone(),
        issued_at: now,
        expires: window.expires.or(old.standard.expires),
        not_before: window.not_before.or(old.standard.not_before),
    };
    let sealed = seal((&terms, claims), &programs, &issuer.pair, Form::of(&archive))?;
    let (token, _) = take_apart(&sealed)?;
    if says_the_same(&old, &token) {
        output.note(format_args!("unchanged: {path} says this already"));
        let place = (&*args.archive, archive.len());
        return output.show(&Sealed::new("unchanged", (token, issuer.name), place));
    }
    if token.standard.issuer != old.standard.issuer {
        output.note(format_args!("replaced the claims by {}", old.standard.issuer));
    }
    if token.standard.check_time(&SystemClock).is_err() {
        output.note("warning: no host runs it today; --expires and --nbf say when it holds");
    }
    files::write_whole(&args.archive, &sealed)?;
    let place = (&*args.archive, sealed.len());
    output.show(&Sealed::new("inserted", (token, issuer.name), place))
}
