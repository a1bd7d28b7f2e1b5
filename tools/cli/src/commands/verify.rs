//! `trellis verify`: the checks a host makes before it compiles a module.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use trellis_claims::{ActorClaims, KeyKind, PublicKey, SystemClock, TrustList, Unsigned, verify};
use trellis_core::Code;
use trellis_keystore::Keystore;
use trellis_manifest::{Format, SourceText};

use crate::commands::inspect::{hex, window};
use crate::commands::sign::role;
use crate::failure::Failure;
use crate::output::Output;
use crate::registry::RegistryArgs;
use crate::{files, key_choice, module};

#[derive(Args, Debug)]
#[command(after_help = "\
Exit codes: 0 a host with this trust runs it, 3 no such file, 4 refused (unsigned, tampered,
expired, untrusted, revoked, older than --replaces), 6 not a sound module. The trusted issuers are
those of --issuer and --trust; with neither, or with a manifest that names none, your own account
key `default`, as for a host.")]
pub(crate) struct VerifyArgs {
    /// The module: a file, or an image in a registry.
    file: PathBuf,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    registry: RegistryArgs,

    /// The module it is to take the place of: the same actor, of no higher revision.
    #[arg(long, value_name = "FILE")]
    replaces: Option<PathBuf>,
}

/// Who is trusted.
#[derive(Args, Clone, Debug)]
pub(crate) struct TrustArgs {
    /// Trusts this account: a public key (A...), or the name of a key of yours. Repeatable.
    #[arg(short, long, value_name = "KEY")]
    issuer: Vec<String>,

    /// Trusts whom a host trusts that runs this manifest: see its `trust:`.
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
    /// True for a provider, which is no actor.
    provider: bool,
    module: PublicKey,
    /// None of an unsigned module.
    issuer: Option<PublicKey>,
    digest: String,
    expires: Option<u64>,
    expires_human: String,
}

pub(crate) fn run(args: &VerifyArgs, output: Output) -> Result<(), Failure> {
    let module = module::read_now(&args.file, args.registry, output)?;
    let trust = args.trust.list(output)?;
    let file = args.file.display().to_string();
    let verified =
        verify(&module, &trust, &SystemClock).map_err(|error| Failure::from(error).about(&file))?;
    let claims = verified.claims();
    if let Some(path) = &args.replaces {
        check_succeeds(claims, path).map_err(|failure| failure.about(&file))?;
    }
    if verified.is_unsigned() {
        output.note(format_args!(
            "warning: {file} is unsigned, and the manifest admits such modules; for development only"
        ));
    }
    output.show(&Accepted {
        file,
        accepted: true,
        name: claims.name.clone(),
        provider: claims.provider,
        module: claims.subject.clone(),
        issuer: (!verified.is_unsigned()).then(|| claims.issuer.clone()),
        digest: hex(verified.digest()),
        expires: claims.expires,
        expires_human: window(claims.not_before, claims.expires, &SystemClock).expires,
    })
}

/// What a host checks that runs the module of `path` and finds another one in its place.
fn check_succeeds(claims: &ActorClaims, path: &Path) -> Result<(), Failure> {
    let running = trellis_claims::inspect(&files::read_module(path)?).claims.ok_or_else(|| {
        let message = format!("{} has no claims to compare with", path.display());
        Failure::new(Code::Unsigned, message)
            .cure("Name the signed module that runs, or leave out --replaces.")
    })?;
    if claims.subject != running.subject {
        let message = format!(
            "its actor key is {}, and that of {} is {}",
            claims.subject,
            path.display(),
            running.subject
        );
        return Err(Failure::new(Code::ActorKey, message));
    }
    Ok(claims.check_succeeds(&running)?)
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
            list = own(list)?;
        }
        Ok(list)
    }
}

/// Adds whom a host trusts that nobody tells whom to trust.
fn own(list: TrustList) -> Result<TrustList, Failure> {
    match Keystore::open_default()?.default_issuer()? {
        Some(issuer) => Ok(list.trust(&issuer)?),
        None => Ok(list),
    }
}

/// Adds whom a host trusts that runs this manifest, and what it revokes.
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
    if manifest.trust.issuers.is_empty() {
        list = own(list)?;
    }
    for revoked in &manifest.trust.revoked {
        list = list.revoke(&key(&revoked.value)?)?;
    }
    // What it may use is no matter here.
    let unsigned = if manifest.trust.unsigned {
        Unsigned::Allow { caps: Vec::new() }
    } else {
        Unsigned::Refuse
    };
    Ok(list.unsigned_modules(unsigned))
}

impl fmt::Display for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\x1b[32maccepted\x1b[0m  {}", self.file)?;
        let name = self.name.as_deref().unwrap_or("-");
        writeln!(f, "  name     {name}{}", role(self.provider))?;
        writeln!(f, "  module   {}", self.module)?;
        match &self.issuer {
            Some(issuer) => writeln!(f, "  issuer   {issuer}")?,
            None => writeln!(f, "  issuer   none: it is unsigned")?,
        }
        writeln!(f, "  expires  {}", self.expires_human)
    }
}
