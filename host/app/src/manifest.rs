//! The manifest as a file among files: read, resolved against its folder, prepared.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use trellis_claims::{ClaimsError, PublicKey, SystemClock, TrustList, Unsigned};
use trellis_core::{CallError, Code, ErrorKind};
use trellis_engine::Checker;
use trellis_keystore::Keystore;
use trellis_manifest::{Format, Manifest, Problem, Report, SourceText, Spanned};
use trellis_providers_sdk::ProviderFactory;
use trellis_supervisor::{Ground, Prepared, prepare};

use crate::failure::Failure;
use crate::providers::builtins;

/// What a manifest is loaded for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum For {
    /// To be run; what starting finds out anyway is left to it.
    Running,
    /// To be told what is wrong with it.
    Checking,
}

/// A manifest that can run here, with what the rim needs to know of it.
pub(crate) struct Loaded {
    pub(crate) manifest: Manifest,
    /// The manifest's folder, where its relative paths start.
    pub(crate) folder: PathBuf,
    pub(crate) trust: TrustList,
    pub(crate) prepared: Prepared,
}

/// Reads and checks a manifest and everything it names.
///
/// # Errors
/// Every problem at once, or that the file cannot be read.
pub(crate) fn load(path: &Path, allow_unsigned: bool, purpose: For) -> Result<Loaded, Failure> {
    let (source, manifest) = read(path)?;
    let (trust, problems) = trust(&manifest, allow_unsigned)?;
    let folder = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    let checker = match purpose {
        For::Running => None,
        For::Checking => {
            Some(Checker::new().map_err(|error| Failure::call("checking modules", error))?)
        }
    };
    let ground = Ground {
        folder: &folder,
        builtins: &builtins(),
        trust: &trust,
        clock: &SystemClock,
        checker: checker.as_ref(),
    };
    let prepared = prepare(&manifest, &source, &ground);
    if !problems.is_empty() {
        return Err(wrong(with_problems(&source, problems, prepared.err())));
    }
    Ok(Loaded { manifest, folder, trust, prepared: prepared.map_err(wrong)? })
}

/// Wrong keys, and what else is wrong. Refused modules are left out: a wrong key may be the reason.
fn with_problems(source: &SourceText, mut problems: Vec<Problem>, more: Option<Report>) -> Report {
    let more = more.iter().flat_map(Report::problems);
    problems.extend(more.filter(|more| more.code.kind() != ErrorKind::Denied).cloned());
    Report::of(source, problems)
}

/// Reads a manifest and who it trusts, without looking at any module.
///
/// # Errors
/// Every problem of the text at once, or that the file cannot be read.
pub(crate) fn load_trust(path: &Path, allow_unsigned: bool) -> Result<TrustList, Failure> {
    let (source, manifest) = read(path)?;
    match trust(&manifest, allow_unsigned)? {
        (trust, problems) if problems.is_empty() => Ok(trust),
        (_, problems) => Err(wrong(Report::of(&source, problems))),
    }
}

fn read(path: &Path) -> Result<(SourceText, Manifest), Failure> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| {
        let code = match error.kind() {
            std::io::ErrorKind::NotFound => Code::NotFound,
            _ => Code::Storage,
        };
        Failure::call(&name, CallError::new(code, format!("the manifest cannot be read: {error}")))
    })?;
    let source = SourceText::from_bytes(name, bytes, Format::of_path(path)).map_err(wrong)?;
    let manifest =
        trellis_manifest::read(&source, &|name| std::env::var(name).ok()).map_err(wrong)?;
    Ok((source, manifest))
}

/// Whom the manifest trusts; when it says nothing, the user's own account. Texts that are no
/// keys come back as problems.
fn trust(manifest: &Manifest, allow_unsigned: bool) -> Result<(TrustList, Vec<Problem>), Failure> {
    let spec = &manifest.trust;
    let mut problems = Vec::new();
    let mut list = TrustList::new(0);
    for key in &spec.issuers {
        list = add_key(list, key, TrustList::trust, &mut problems);
    }
    for key in &spec.revoked {
        list = add_key(list, key, TrustList::revoke, &mut problems);
    }
    if spec.issuers.is_empty() {
        list = trust_own_account(list)?;
    }
    if allow_unsigned || spec.unsigned {
        tracing::warn!("unsigned modules are admitted; for development only");
        list = list.unsigned_modules(Unsigned::Allow { caps: builtin_capabilities() });
    }
    Ok((list, problems))
}

type Add = fn(TrustList, &PublicKey) -> Result<TrustList, ClaimsError>;

fn add_key(
    list: TrustList,
    written: &Spanned<String>,
    add: Add,
    problems: &mut Vec<Problem>,
) -> TrustList {
    let added = PublicKey::parse(&written.value).and_then(|key| add(list.clone(), &key));
    added.unwrap_or_else(|error| {
        let code = error.code();
        problems.push(Problem::new(written.span, error.to_string()).code(code).help(code.cure()));
        list
    })
}

/// A user without any key yet has signed nothing, so nothing more is trusted.
fn trust_own_account(list: TrustList) -> Result<TrustList, Failure> {
    let refused = |error: CallError| Failure::call("your keystore", error);
    let issuer = Keystore::open_default()
        .and_then(|store| store.default_issuer())
        .map_err(|error| refused(error.into()))?;
    match issuer {
        Some(issuer) => list.trust(&issuer).map_err(|error| refused(error.into())),
        None => Ok(list),
    }
}

/// What an unsigned module may use in development: whatever this host has.
fn builtin_capabilities() -> Vec<String> {
    let contracts =
        |factory: &Arc<dyn ProviderFactory>| factory.descriptor().contracts.into_owned();
    builtins().iter().flat_map(contracts).map(|contract| contract.id.to_string()).collect()
}

fn wrong(report: Report) -> Failure {
    Failure::Manifest(Box::new(report))
}
