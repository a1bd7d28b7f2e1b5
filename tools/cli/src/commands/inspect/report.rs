//! What `trellis inspect` prints.

use std::fmt;
use std::path::Path;

use data_encoding::HEXLOWER;
use serde::Serialize;
use serde_json::Value;
use trellis_claims::{ActorClaims, Check, Clock, Inspection, PublicKey, unsigned_key};
use trellis_engine::ModuleShape;
use trellis_engine::shape::ExportKind;

use super::time::{relative, window};
use crate::clean::clean;

/// One module, seen from outside.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    file: String,
    size_bytes: u64,
    digest: String,
    signed: bool,
    /// `valid`, `unsigned`, or why a host would refuse it, whoever it trusts.
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
    /// Of an unsigned module: the key it goes by where unsigned modules run.
    #[serde(skip_serializing_if = "Option::is_none")]
    unsigned_key: Option<PublicKey>,
    checks: Checks,
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<Claims>,
    /// The claims exactly as the token has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_claims: Option<Value>,
    section: Option<&'static str>,
    dialect: String,
    functions: u32,
    memory_bytes: u64,
    imports: Vec<Port>,
    exports: Vec<Port>,
}

#[derive(Serialize)]
struct Problem {
    code: &'static str,
    message: String,
    cure: &'static str,
}

#[derive(Serialize)]
struct Checks {
    section: &'static str,
    form: &'static str,
    signature: &'static str,
    hash: &'static str,
    time: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Claims {
    #[serde(flatten)]
    claims: ActorClaims,
    issued_human: String,
    expires_human: String,
    not_before_human: String,
}

/// One import or export.
#[derive(Serialize)]
struct Port {
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<String>,
    name: String,
    kind: &'static str,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    ty: Option<String>,
}

impl Report {
    pub(super) fn new(
        file: &Path,
        shape: ModuleShape,
        seen: Inspection,
        clock: &dyn Clock,
    ) -> Self {
        let time = match &seen.claims {
            Some(claims) => claims.check_time(clock).map_or_else(Check::Failed, |()| Check::Passed),
            None => Check::Skipped,
        };
        let problem = seen.problem().or(time.error()).map(|error| Problem {
            code: error.code().as_str(),
            message: error.message().to_owned(),
            cure: error.code().cure(),
        });
        let state = match &problem {
            Some(problem) => problem.code,
            None if seen.is_unsigned() => "unsigned",
            None => "valid",
        };
        Self {
            file: file.display().to_string(),
            size_bytes: shape.bytes,
            digest: hex(&seen.digest),
            signed: seen.section_name.is_some(),
            state: state.to_owned(),
            unsigned_key: seen.is_unsigned().then(|| unsigned_key(&seen.digest)),
            problem,
            checks: Checks {
                section: seen.section.as_str(),
                form: seen.form.as_str(),
                signature: seen.signature.as_str(),
                hash: seen.hash.as_str(),
                time: time.as_str(),
            },
            claims: seen.claims.map(|claims| Claims::new(claims, clock)),
            raw_claims: seen.raw_claims,
            section: seen.section_name,
            dialect: trellis_engine::dialect(&shape).to_string(),
            functions: shape.functions,
            memory_bytes: shape.memory_bytes,
            imports: imports(&shape),
            exports: exports(&shape),
        }
    }
}

impl Claims {
    fn new(claims: ActorClaims, clock: &dyn Clock) -> Self {
        let window = window(claims.not_before, claims.expires, clock);
        Self {
            issued_human: relative(claims.issued_at, clock.now_unix_s()),
            expires_human: window.expires,
            not_before_human: window.not_before,
            claims,
        }
    }
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

fn imports(shape: &ModuleShape) -> Vec<Port> {
    let port = |import: &trellis_engine::shape::Import| Port {
        module: Some(import.module.clone()),
        name: import.name.clone(),
        kind: if import.function.is_some() { "function" } else { "other" },
        ty: import.function.as_ref().map(ToString::to_string),
    };
    shape.imports.iter().map(port).collect()
}

fn exports(shape: &ModuleShape) -> Vec<Port> {
    let port = |export: &trellis_engine::shape::Export| {
        let (kind, ty) = match &export.kind {
            ExportKind::Function(ty) => ("function", Some(ty.to_string())),
            ExportKind::Memory => ("memory", None),
            ExportKind::Other => ("other", None),
        };
        Port { module: None, name: export.name.clone(), kind, ty }
    };
    shape.exports.iter().map(port).collect()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\x1b[1m{}\x1b[0m", clean(&self.file))?;
        row(f, "state", &self.state)?;
        if let Some(problem) = &self.problem {
            row(f, "problem", &problem.message)?;
            row(f, "help", problem.cure)?;
        }
        row(f, "size", format!("{} bytes, {} functions", self.size_bytes, self.functions))?;
        row(f, "memory", format!("{} bytes at the start", self.memory_bytes))?;
        row(f, "sha-256", &self.digest)?;
        if let Some(key) = &self.unsigned_key {
            row(f, "key", format!("{key} (made from its bytes)"))?;
        }
        row(f, "dialect", &self.dialect)?;
        let checks = &self.checks;
        row(f, "section", format!("{} ({})", checks.section, self.section.unwrap_or("none")))?;
        row(f, "signature", checks.signature)?;
        row(f, "hash", checks.hash)?;
        row(f, "time", checks.time)?;
        if let Some(claims) = &self.claims {
            claims.fmt(f)?;
        }
        ports(f, "imports", &self.imports)?;
        ports(f, "exports", &self.exports)
    }
}

impl fmt::Display for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let claims = &self.claims;
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let list = |texts: &[String]| match texts {
            [] => "-".to_owned(),
            texts => texts.join(", "),
        };
        writeln!(f, "claims")?;
        row(f, "name", or_none(&claims.name))?;
        row(f, "module", &claims.subject)?;
        row(f, "issuer", &claims.issuer)?;
        row(f, "version", or_none(&claims.version))?;
        row(f, "revision", claims.revision.map_or("-".to_owned(), |n| n.to_string()))?;
        row(f, "call alias", or_none(&claims.call_alias))?;
        row(f, "issued", &self.issued_human)?;
        row(f, "valid from", &self.not_before_human)?;
        row(f, "expires", &self.expires_human)?;
        row(f, "may use", list(&claims.caps))?;
        for (contract, operations) in &claims.grants {
            row(f, "  only", format!("{contract}: {}", list(operations)))?;
        }
        row(f, "may call", list(&claims.calls))?;
        row(f, "tags", list(&claims.tags))?;
        row(f, "provider", claims.provider)
    }
}

fn ports(f: &mut fmt::Formatter<'_>, title: &str, ports: &[Port]) -> fmt::Result {
    writeln!(f, "{title}")?;
    for port in ports {
        let module = port.module.as_ref().map_or_else(String::new, |module| format!("{module}."));
        let ty = port.ty.as_deref().unwrap_or(port.kind);
        writeln!(f, "  {}{} {ty}", clean(&module), clean(&port.name))?;
    }
    if ports.is_empty() {
        writeln!(f, "  none")?;
    }
    Ok(())
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, value: impl fmt::Display) -> fmt::Result {
    writeln!(f, "  {name:<11} {}", clean(&value.to_string()))
}
