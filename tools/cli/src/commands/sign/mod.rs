//! `trellis sign`: puts signed claims into a module.

mod args;
mod draft;
mod identity;
mod names;
mod signed;

use std::path::{Path, PathBuf};

use trellis_claims::{ActorClaims, Clock, KeyKind, SystemClock};
use trellis_core::Code;
use trellis_keystore::KeyName;

use crate::commands::inspect::outline;
use crate::failure::Failure;
use crate::files;
use crate::key_choice::{Signer, known_subject, new_subject, signer};
use crate::output::Output;

pub(crate) use args::SignArgs;
use draft::{Names, draft};
use identity::Former;
use names::Known;
use signed::Signed;

pub(crate) use signed::role;

/// What is put between the file's name and its extension unless a destination is given: the habit
/// of the original tools.
const DEFAULT_SUFFIX: &str = "_s";

pub(crate) fn run(args: &SignArgs, output: Output) -> Result<(), Failure> {
    let about_file = |failure: Failure| failure.about(args.file.display());
    let destination = args.destination.clone().unwrap_or_else(|| beside(&args.file));
    check_stdout(&destination, output)?;
    let module = files::read_module(&args.file)?;
    outline(&module).map_err(about_file)?;
    files::check_folder(&destination)?;
    let there = files::read_destination(&destination)?;
    let names = Names::of(args)?;
    let warnings = check_names(&names, args.force, output)?;
    let name = args.name.clone().unwrap_or_else(|| stem(&args.file));
    let known = known_subject(args.subject.as_deref(), KeyKind::Module, &name)?;
    let former = [Former::of(&destination, &there), Former::of(&args.file, &module)];
    for former in former.iter().flatten() {
        former.check_subject(known.as_ref(), args.force, output)?;
    }

    // Keys are made from here on: nothing that is refused leaves one behind.
    let issuer = issuer(args, output)?;
    let subject = match known {
        Some(subject) => subject,
        None => new_subject(KeyKind::Module, &name, !args.disable_keygen, output)?,
    };
    let draft = draft(args, names, subject, name, SystemClock.now_unix_s())?;
    let signed = trellis_claims::sign(&module, &draft, &issuer.pair, &SystemClock)
        .map_err(Failure::from)
        .map_err(about_file)?;
    let claims = claims_of(&signed)
        .ok_or_else(|| Failure::new(Code::Internal, "the new claims cannot be read back"))?;
    let unchanged = is_unchanged(&there, &claims);
    let report = Signed::new(&claims, unchanged).with(issuer.name, &destination, signed.len());
    let report = report.warned(warnings);
    if unchanged {
        output.note(format_args!("unchanged: {} has these claims already", destination.display()));
        return output.show(&report);
    }
    if let Some(former) = former.iter().flatten().next() {
        former.note_issuer(issuer.pair.public(), output);
    }
    if files::is_stdout(&destination) {
        output.note(report.to_string().trim_end());
        return output.raw(&signed);
    }
    files::write_whole(&destination, &signed)?;
    output.show(&report)
}

/// Stdout takes the module or the result, not both.
fn check_stdout(destination: &Path, output: Output) -> Result<(), Failure> {
    if !files::is_stdout(destination) {
        return Ok(());
    }
    if output.is_document() {
        return Err(Failure::usage("stdout cannot take both the module and JSON")
            .cure("Leave out `-o json`, or sign into a file."));
    }
    if output.is_terminal() {
        return Err(Failure::usage("a module would be written to a terminal")
            .cure("Pipe it to where it is needed, or sign into a file."));
    }
    Ok(())
}

/// Refuses names that mean nothing, and gives the warnings about the others after saying them.
fn check_names(names: &Names, force: bool, output: Output) -> Result<Vec<String>, Failure> {
    let mut findings = Known::here().check(names);
    findings.problems.retain(|problem| !(force && problem.may_be_forced));
    if !findings.problems.is_empty() {
        let join = |text: fn(&names::Finding) -> &str| {
            findings.problems.iter().map(text).collect::<Vec<_>>()
        };
        let message = join(|problem| &problem.message).join("; ");
        return Err(Failure::usage(message).cure(join(|problem| &problem.help).join(" ")));
    }
    for warning in &findings.warnings {
        output.note(format_args!("warning: {warning}"));
    }
    Ok(findings.warnings)
}

fn issuer(args: &SignArgs, output: Output) -> Result<Signer, Failure> {
    let asked = args.issuer.as_deref();
    signer(asked, KeyKind::Account, &KeyName::default(), !args.disable_keygen, output)
}

/// True when the destination already holds this module with these claims, as signed by the same
/// issuer at whatever time.
fn is_unchanged(there: &[u8], claims: &ActorClaims) -> bool {
    let (id, issued_at) = (claims.id.clone(), claims.issued_at);
    claims_of(there).is_some_and(|old| ActorClaims { id, issued_at, ..old } == *claims)
}

/// The claims of a module, when every check holds.
fn claims_of(module: &[u8]) -> Option<ActorClaims> {
    let seen = trellis_claims::inspect(module);
    if seen.problem().is_some() { None } else { seen.claims }
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
