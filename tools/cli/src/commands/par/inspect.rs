//! `trellis par inspect`: everything an archive says about itself.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use trellis_archive::{Form, Inspection, check_hash, inspect};
use trellis_claims::token::{Provider, Token};
use trellis_claims::{Check, Clock, SystemClock};

use crate::commands::inspect::{hex, relative, window};
use crate::failure::Failure;
use crate::files;
use crate::output::Output;

#[derive(Args, Debug)]
#[command(after_help = "\
Inspect shows and does not judge: its exit code is 0 for a tampered or expired archive too; use
`trellis par verify` for that. Claims whose signature does not hold may be forged.")]
pub(crate) struct InspectArgs {
    /// The archive.
    archive: PathBuf,
}

/// One archive, seen from outside.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    file: String,
    size_bytes: usize,
    compressed: bool,
    /// `valid`, or why a host would refuse it, whoever it trusts.
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    checks: Checks,
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<Claims>,
    /// The claims exactly as the token has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_claims: Option<Value>,
    programs: Vec<Row>,
}

#[derive(Serialize)]
struct Checks {
    form: &'static str,
    signature: &'static str,
    hashes: &'static str,
    time: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Claims {
    name: Option<String>,
    provider: String,
    issuer: String,
    capability: Option<String>,
    vendor: String,
    revision: Option<i32>,
    version: Option<String>,
    issued_at: u64,
    issued_human: String,
    not_before: Option<u64>,
    not_before_human: String,
    expires: Option<u64>,
    expires_human: String,
}

/// One program, or a hash without one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    target: String,
    size_bytes: Option<u64>,
    digest: Option<String>,
    /// `signed`, `not signed`, `changed` or `missing`.
    state: &'static str,
}

pub(crate) fn run(args: &InspectArgs, output: Output) -> Result<(), Failure> {
    let file = args.archive.display().to_string();
    let archive = files::read_archive(&args.archive)?;
    let seen = inspect(&archive).map_err(|error| Failure::from(error).about(&file))?;
    output.show(&Report::new(file, archive.len(), seen))
}

impl Report {
    fn new(file: String, size_bytes: usize, seen: Inspection) -> Self {
        let Inspection { form, token, programs: _ } = &seen;
        let time = match &token.claims {
            None => Check::Skipped,
            Some(claims) => match claims.standard.check_time(&SystemClock) {
                Ok(()) => Check::Passed,
                Err(error) => Check::Failed(error),
            },
        };
        let programs = rows(&seen);
        let is_signed = |row: &Row| matches!(row.state, "signed" | "missing");
        let wrong = programs.iter().find(|row| !is_signed(row));
        let hashes = match (&token.claims, wrong) {
            (None, _) => "skipped",
            (_, Some(_)) => "failed",
            (_, None) => "passed",
        };
        let failed = [&token.form, &token.signature].into_iter().find_map(Check::error);
        let problem = match (failed, wrong) {
            (Some(error), _) => Some((error.code(), error.message().to_owned())),
            (None, Some(row)) => {
                let why = format!("the program for {} is {}", row.target, row.state);
                Some((trellis_core::Code::Hash, why))
            }
            (None, None) => time.error().map(|it| (it.code(), it.message().to_owned())),
        };
        let state = problem.as_ref().map_or("valid", |(code, _)| code.as_str()).to_owned();
        Self {
            file,
            size_bytes,
            compressed: *form == Form::Gzip,
            state,
            problem: problem.map(|(_, why)| why),
            checks: Checks {
                form: token.form.as_str(),
                signature: token.signature.as_str(),
                hashes,
                time: time.as_str(),
            },
            claims: token.claims.clone().map(Claims::of),
            raw_claims: token.raw_claims.clone(),
            programs,
        }
    }
}

impl Claims {
    fn of(token: Token<Provider>) -> Self {
        let Token { standard, body } = token;
        let window = window(standard.not_before, standard.expires, &SystemClock);
        Self {
            name: body.name,
            provider: standard.subject,
            issuer: standard.issuer.to_string(),
            capability: body.contract,
            vendor: body.vendor,
            revision: body.revision,
            version: body.version,
            issued_at: standard.issued_at,
            issued_human: relative(standard.issued_at, SystemClock.now_unix_s()),
            not_before: standard.not_before,
            not_before_human: window.not_before,
            expires: standard.expires,
            expires_human: window.expires,
        }
    }
}

/// The programs there are, and then those that are only claimed.
fn rows(seen: &Inspection) -> Vec<Row> {
    let claims = seen.token.claims.as_ref().map(|token| &token.body);
    let there = seen.programs.iter().map(|(target, program)| {
        let claimed = claims.map(|claims| claims.target_hashes.contains_key(target.as_str()));
        let state = match claims.map(|claims| check_hash(claims, target, program)) {
            Some(Ok(())) => "signed",
            Some(Err(_)) if claimed == Some(true) => "changed",
            _ => "not signed",
        };
        Row {
            target: target.to_string(),
            size_bytes: Some(program.bytes),
            digest: Some(hex(&program.digest)),
            state,
        }
    });
    let is_there = |target: &str| seen.programs.keys().any(|there| there.as_str() == target);
    let claimed = claims.into_iter().flat_map(|claims| claims.target_hashes.keys());
    let missing = claimed.filter(|target| !is_there(target)).map(|target| Row {
        target: target.clone(),
        size_bytes: None,
        digest: None,
        state: "missing",
    });
    there.chain(missing).collect()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.compressed { "gzip" } else { "not compressed" };
        writeln!(f, "\x1b[1m{}\x1b[0m", self.file)?;
        row(f, "state", &self.state)?;
        if let Some(problem) = &self.problem {
            row(f, "problem", problem)?;
        }
        row(f, "size", &format!("{} bytes, {how}", self.size_bytes))?;
        row(f, "signature", self.checks.signature)?;
        row(f, "hashes", self.checks.hashes)?;
        row(f, "time", self.checks.time)?;
        if let Some(claims) = &self.claims {
            claims.fmt(f)?;
        }
        writeln!(f, "programs")?;
        for program in &self.programs {
            let size = program.size_bytes.map_or("-".to_owned(), |bytes| format!("{bytes} bytes"));
            row(f, &program.target, &format!("{}, {size}", program.state))?;
            if let Some(digest) = &program.digest {
                row(f, "", digest)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        writeln!(f, "claims")?;
        row(f, "name", &or_none(&self.name))?;
        row(f, "provider", &self.provider)?;
        row(f, "issuer", &self.issuer)?;
        row(f, "serves", &or_none(&self.capability))?;
        row(f, "vendor", &self.vendor)?;
        row(f, "version", &or_none(&self.version))?;
        row(f, "revision", &self.revision.map_or("-".to_owned(), |n| n.to_string()))?;
        row(f, "issued", &self.issued_human)?;
        row(f, "valid from", &self.not_before_human)?;
        row(f, "expires", &self.expires_human)
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
    writeln!(f, "  {name:<15} {value}")
}
