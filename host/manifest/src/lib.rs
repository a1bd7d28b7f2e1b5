//! Manifests: text in, every error at once or the desired state out.
//!
//! [`read`] turns YAML or JSON into a [`Manifest`], or into a [`Report`] of everything wrong with
//! it, each problem with its place, a caret and what to do. The original waSCC 0.14 and wasmCloud
//! 0.18 manifests load as they are, but what the originals left alone in a text is an error here: a
//! `${VAR}` that is unset and has no default, and a `$VAR` without braces. [`readable_trust`] reads
//! revocations from a manifest that is wrong elsewhere, and [`read_rest`] what else is right in it.
//!
//! The modules in reading order: [`source`] (text and places in it), `expand` (`${VAR}`), `parse`
//! with `yaml` and `json` (text to `tree`), `form`, `keyed` and `object` (tree to typed values; the
//! JSON schema comes from the same declarations), `shape` (what may be written), `resolve` with
//! `kind` (what it means), `understand` (both together), `rest`, `trust` and `users` (what can be
//! read of a manifest that is wrong), `scan` with `nkey` (what is revoked in a text that cannot be
//! understood).
//!
//! **Deliberately absent:** files, the environment, keys and signatures, which providers exist and
//! what values they understand, contract ids. The caller reads the file, supplies the environment,
//! and adds what only it can know with [`Report::of`], at the spans every value here carries.

mod admin;
mod decode;
mod expand;
mod form;
mod json;
mod keyed;
mod kind;
mod limits;
mod module_limits;
mod name;
mod nkey;
mod object;
pub mod originals;
mod parse;
mod place;
mod render;
mod report;
mod resolve;
mod rest;
mod scan;
mod schema;
mod shape;
pub mod source;
mod spec;
mod telemetry;
mod tree;
mod trust;
mod understand;
mod users;
mod variable;
mod yaml;

use understand::understood;

pub use name::wrong_name;
pub use nkey::keys_in;
pub use parse::BYTES_MAX;
pub use render::Style;
pub use report::{Problem, Report};
pub use rest::{Rest, Wrong};
pub use schema::json_schema;
pub use source::{Format, SourceText, Span, Spanned};
pub use spec::{
    ActorSpec, AdminScope, AdminUserSpec, BindingSpec, CacheSpec, HostSpec, Isolation, Manifest,
    ProcessLimitsSpec, ProcessSpec, ProgramSpec, ProviderKind, ProviderModuleSpec, ProviderSpec,
    RegistrySpec, SocketSpec, TelemetrySpec, TextPairs, TrustSpec, WrittenLimit,
};
pub use trust::{ReadableTrust, readable_trust, unrevoked};
pub use users::{ReadableUser, readable_users};

/// Reads a manifest; `env` answers what `${VAR}` stands for.
///
/// # Errors
/// Every problem found, not only the first. A syntax error hides what comes after it.
pub fn read(source: &SourceText, env: &dyn Fn(&str) -> Option<String>) -> Result<Manifest, Report> {
    read_rest(source, env).map_err(|wrong| wrong.report)
}

/// Reads a manifest, and of a wrong one what is right.
///
/// # Errors
/// As [`read`], with the [`Rest`].
pub fn read_rest(
    source: &SourceText,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Manifest, Wrong> {
    let mut problems = report::Problems::default();
    let root = parse::parse(source, env, &mut problems);
    let understood = root.as_ref().and_then(|root| understood(root, &mut problems));
    match understood {
        Some((manifest, _)) if problems.is_empty() => Ok(manifest),
        understood => {
            let keys = root.map(|root| root.keys()).unwrap_or_default();
            Err(Wrong::new(Report::new(source, problems), understood, keys))
        }
    }
}
