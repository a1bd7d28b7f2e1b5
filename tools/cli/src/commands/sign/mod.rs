//! `trellis sign`: puts signed claims into a module.

mod args;
mod signed;

use std::path::{Path, PathBuf};

use trellis_claims::{ActorClaims, ClaimsDraft, Clock, KeyKind, KeyPair, PublicKey, SystemClock};
use trellis_keystore::{DEFAULT_NAME, KeyName};

use crate::failure::Failure;
use crate::files;
use crate::key_choice::{self, Signer, signer};
use crate::output::Output;

pub(crate) use args::SignArgs;
use signed::Signed;

/// What is put between the file's name and its extension unless a destination is given: the habit
/// of the original tools.
const DEFAULT_SUFFIX: &str = "_s";
const DAY_S: u64 = 24 * 60 * 60;

pub(crate) fn run(args: &SignArgs, output: Output) -> Result<(), Failure> {
    let about_file = |error| Failure::from(error).about(args.file.display());
    let module = files::read_module(&args.file)?;
    // Before any key is made for it: a file that is no module is refused.
    trellis_engine::inspect(&module).map_err(about_file)?;
    let name = args.name.clone().unwrap_or_else(|| stem(&args.file));
    let issuer = issuer(args, output)?;
    let subject = subject(args, &name, output)?;
    let draft = args.draft(subject, name, SystemClock.now_unix_s())?;
    let signed = trellis_claims::sign(&module, &draft, &issuer.pair, &SystemClock)
        .map_err(|error| Failure::from(error).about(args.file.display()))?;
    let destination = args.destination.clone().unwrap_or_else(|| beside(&args.file));
    let claims = claims_of(&signed).ok_or_else(|| {
        Failure::new(trellis_core::Code::Internal, "the new claims cannot be read back")
    })?;
    let unchanged = is_unchanged(&destination, &claims)?;
    if unchanged {
        output.note(format_args!("unchanged: {} has these claims already", destination.display()));
    } else {
        note_former_issuer(&module, &issuer.pair, output);
        files::write_whole(&destination, &signed)?;
    }
    output.show(&Signed::new(&claims, issuer.name, &destination, signed.len(), unchanged))
}

fn issuer(args: &SignArgs, output: Output) -> Result<Signer, Failure> {
    let name: KeyName = DEFAULT_NAME.parse()?;
    let asked = args.issuer.as_deref();
    signer(asked, KeyKind::Account, &name, !args.disable_keygen, output)
}

/// The actor's own key. Only its public half goes into the claims, so one that is merely known will
/// do.
fn subject(args: &SignArgs, name: &str, output: Output) -> Result<PublicKey, Failure> {
    if let Some(text) = &args.subject {
        return key_choice::public_key(text, KeyKind::Module);
    }
    let name: KeyName = name.parse().map_err(|error| {
        Failure::from(error).cure("Give the actor's key with --subject, or another --name.")
    })?;
    let make = !args.disable_keygen;
    Ok(signer(None, KeyKind::Module, &name, make, output)?.pair.public().clone())
}

/// True when the destination already holds this module with these claims, as signed by the same
/// issuer at whatever time.
fn is_unchanged(destination: &Path, claims: &ActorClaims) -> Result<bool, Failure> {
    if !destination.exists() {
        return Ok(false);
    }
    let there = files::read_module(destination)?;
    if !there.is_empty() && !there.starts_with(b"\0asm") {
        let message = format!("{} exists and is not a module", destination.display());
        return Err(Failure::usage(message).cure("Choose another --destination."));
    }
    let Some(old) = claims_of(&there) else { return Ok(false) };
    let (id, issued_at) = (claims.id.clone(), claims.issued_at);
    Ok(ActorClaims { id, issued_at, ..old } == *claims)
}

/// The claims of a module, when every check holds.
fn claims_of(module: &[u8]) -> Option<ActorClaims> {
    let seen = trellis_claims::inspect(module);
    if seen.problem().is_some() { None } else { seen.claims }
}

/// Signing again with another key is easily done by accident, so it is said.
fn note_former_issuer(module: &[u8], issuer: &KeyPair, output: Output) {
    if let Some(old) = trellis_claims::inspect(module).claims
        && old.issuer != *issuer.public()
    {
        output.note(format_args!("replaced the claims by {}", old.issuer));
    }
}

fn stem(file: &Path) -> String {
    file.file_stem().unwrap_or(file.as_os_str()).to_string_lossy().into_owned()
}

fn beside(file: &Path) -> PathBuf {
    let extension = file
        .extension()
        .map_or_else(String::new, |extension| format!(".{}", extension.to_string_lossy()));
    file.with_file_name(format!("{}{DEFAULT_SUFFIX}{extension}", stem(file)))
}

impl SignArgs {
    /// What the claims will say.
    fn draft(&self, subject: PublicKey, name: String, now: u64) -> Result<ClaimsDraft, Failure> {
        let mut caps = self.standard.contracts();
        caps.extend(self.caps.iter().cloned());
        caps.extend(self.grants.iter().map(|grant| grant.contract.clone()));
        let mut seen = std::collections::BTreeSet::new();
        caps.retain(|cap| !cap.is_empty() && seen.insert(cap.clone()));
        let mut draft = ClaimsDraft::new(subject);
        for grant in &self.grants {
            let operations = draft.grants.entry(grant.contract.clone()).or_default();
            operations.extend(grant.operations.iter().cloned());
        }
        for callee in &self.calls {
            trellis_keystore::refuse_seed(callee)?;
        }
        let days = |days: u32| now.saturating_add(u64::from(days) * DAY_S);
        Ok(ClaimsDraft {
            name: Some(name),
            caps,
            tags: self.tags.clone(),
            revision: self.revision,
            version: self.version.clone(),
            call_alias: self.call_alias.clone(),
            provider: self.provider,
            calls: self.calls.clone(),
            expires: self.expires_days.map(days),
            not_before: self.not_before_days.map(days),
            ..draft
        })
    }
}
