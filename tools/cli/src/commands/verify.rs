//! `trellis verify`: the checks a host makes before it compiles a module.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use trellis_claims::{KeyKind, PublicKey, SystemClock, TrustList, verify};
use trellis_core::Code;
use trellis_keystore::Keystore;
use trellis_manifest::{Format, SourceText};

use crate::commands::inspect::{hex, window};
use crate::failure::Failure;
use crate::output::Output;
use crate::{files, key_choice};

#[derive(Args, Debug)]
#[command(after_help = "\
Exit codes: 0 a host with this trust runs it, 3 no such file, 4 refused (unsigned, tampered,
expired, untrusted, revoked), 6 not a sound module. The trusted issuers are those of --issuer and
--trust; with neither, your own account key `default`.")]
pub(crate) struct VerifyArgs {
    /// The module.
    file: PathBuf,
    #[command(flatten)]
    trust: TrustArgs,
}

/// Who is trusted.
#[derive(Args, Clone, Debug)]
pub(crate) struct TrustArgs {
    /// Trusts this account: a public key (A...), or the name of a key of yours. Repeatable.
    #[arg(short, long, value_name = "KEY")]
    issuer: Vec<String>,

    /// Trusts and revokes the keys under `trust:` in this manifest.
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
}

/// A module that was accepted.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Accepted {
    file: String,
    accepted: bool,
    name: Option<String>,
    module: PublicKey,
    issuer: PublicKey,
    digest: String,
    expires: Option<u64>,
    expires_human: String,
}

pub(crate) fn run(args: &VerifyArgs, output: Output) -> Result<(), Failure> {
    let module = files::read_module(&args.file)?;
    let trust = args.trust.list(output)?;
    let file = args.file.display().to_string();
    let verified =
        verify(&module, &trust, &SystemClock).map_err(|error| Failure::from(error).about(&file))?;
    let claims = verified.claims();
    output.show(&Accepted {
        file,
        accepted: true,
        name: claims.name.clone(),
        module: claims.subject.clone(),
        issuer: claims.issuer.clone(),
        digest: hex(verified.digest()),
        expires: claims.expires,
        expires_human: window(claims, &SystemClock).expires,
    })
}

impl TrustArgs {
    /// True when no option says anything about trust.
    pub(crate) fn is_silent(&self) -> bool {
        self.issuer.is_empty() && self.trust.is_none()
    }

    /// The trust list that these options make, or else the user's keystore.
    ///
    /// # Errors
    /// When a text is not a key, or a file cannot be read.
    pub(crate) fn list(&self, output: Output) -> Result<TrustList, Failure> {
        let mut list = TrustList::new(0);
        if let Some(path) = &self.trust {
            list = of_manifest(list, path, output)?;
        }
        for text in &self.issuer {
            list = list.trust(&key_choice::public_key(text, KeyKind::Account)?)?;
        }
        if self.is_silent() {
            // As a host does with a manifest that says nothing about trust.
            if let Some(issuer) = Keystore::open_default()?.default_issuer()? {
                list = list.trust(&issuer)?;
            }
        }
        Ok(list)
    }
}

/// Adds what a manifest trusts and revokes.
fn of_manifest(mut list: TrustList, path: &Path, output: Output) -> Result<TrustList, Failure> {
    let wrong = |report: trellis_manifest::Report| {
        Failure::host(&trellis_app::Failure::Manifest(Box::new(report)), output.style())
    };
    let name = path.display().to_string();
    let text = files::read_input(path)?;
    let source =
        SourceText::from_bytes(name.clone(), text, Format::of_path(path)).map_err(wrong)?;
    let manifest =
        trellis_manifest::read(&source, &|variable| std::env::var(variable).ok()).map_err(wrong)?;
    let key = |text: &str| -> Result<PublicKey, Failure> {
        text.parse().map_err(|error| Failure::from(error).about(&name))
    };
    for issuer in &manifest.trust.issuers {
        list = list.trust(&key(&issuer.value)?)?;
    }
    for revoked in &manifest.trust.revoked {
        list = list.revoke(&key(&revoked.value)?)?;
    }
    if manifest.trust.issuers.is_empty() && manifest.trust.revoked.is_empty() {
        let message = format!("{name} says nothing about trust");
        return Err(Failure::new(Code::Manifest, message)
            .cure("Add `trust: {issuers: [A...]}` to it, or use --issuer."));
    }
    Ok(list)
}

impl fmt::Display for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\x1b[32maccepted\x1b[0m  {}", self.file)?;
        writeln!(f, "  name     {}", self.name.as_deref().unwrap_or("-"))?;
        writeln!(f, "  module   {}", self.module)?;
        writeln!(f, "  issuer   {}", self.issuer)?;
        writeln!(f, "  expires  {}", self.expires_human)
    }
}
