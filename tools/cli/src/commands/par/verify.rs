//! `trellis par verify`: the checks a host makes before it runs the program of an archive.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use trellis_archive::Target;
use trellis_claims::{PublicKey, SystemClock};

use super::target::TargetArgs;
use crate::commands::inspect::{hex, window};
use crate::commands::verify::TrustArgs;
use crate::failure::Failure;
use crate::files;
use crate::output::Output;

#[derive(Args, Debug)]
#[command(after_help = "\
Exit codes: 0 a host with this trust runs it, 3 no such file, or no program for the platform,
4 refused (tampered, expired, untrusted, revoked), 6 not a sound archive. The trusted issuers are
those of --issuer and --trust; with neither, or with a manifest that names none, your own account
key `default`, as for a host. What the program serves is found out by starting it: `host --check`.")]
pub(crate) struct VerifyArgs {
    /// The archive.
    archive: PathBuf,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    target: TargetArgs,
}

/// An archive that was accepted.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Accepted {
    file: String,
    accepted: bool,
    name: Option<String>,
    provider: PublicKey,
    issuer: PublicKey,
    capability: Option<String>,
    /// The platform that was asked for, and SHA-256 of its program.
    target: String,
    digest: String,
    /// All platforms that it has programs for.
    targets: Vec<String>,
    expires: Option<u64>,
    expires_human: String,
}

pub(crate) fn run(args: &VerifyArgs, output: Output) -> Result<(), Failure> {
    let target = args.target.target()?;
    let archive = files::read_archive(&args.archive)?;
    let trust = args.trust.list(output)?;
    let file = args.archive.display().to_string();
    let verified = trellis_archive::verify(&archive, &target, &trust, &SystemClock)
        .map_err(|error| Failure::from(error).about(&file))?;
    let claims = verified.claims();
    let (standard, body) = (claims.standard(), claims.body());
    let window = window(standard.not_before, standard.expires, &SystemClock);
    output.show(&Accepted {
        file,
        accepted: true,
        name: body.name.clone(),
        provider: claims.subject().clone(),
        issuer: claims.issuer().clone(),
        capability: body.contract.clone(),
        target: target.to_string(),
        digest: hex(verified.digest()),
        targets: verified.programs().keys().map(Target::to_string).collect(),
        expires: standard.expires,
        expires_human: window.expires,
    })
}

impl fmt::Display for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\x1b[32maccepted\x1b[0m  {}", self.file)?;
        writeln!(f, "  name      {}", self.name.as_deref().unwrap_or("-"))?;
        writeln!(f, "  provider  {}", self.provider)?;
        writeln!(f, "  issuer    {}", self.issuer)?;
        writeln!(f, "  serves    {}", self.capability.as_deref().unwrap_or("-"))?;
        writeln!(f, "  programs  {}", self.targets.join(", "))?;
        writeln!(f, "  expires   {}", self.expires_human)
    }
}
