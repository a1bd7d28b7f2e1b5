//! `trellis push`: puts a module, or the archive of a provider, into a registry.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use trellis_artifacts::{ImageKind, Package, written_digest};
use trellis_core::date::Date;

use super::inspect::outline;
use super::runtime;
use crate::failure::Failure;
use crate::files;
use crate::output::Output;
use crate::registry::{self, RegistryArgs};

#[derive(Args, Debug)]
#[command(after_help = "\
The same file gives the same image, so that pushing it again changes nothing. A tag that stands
for another image stands for this one from then on.

Exit codes: 0 it is there, 3 no such file, 4 the registry refuses, 5 it does not answer,
6 neither a module nor an archive, or not a reference.")]
pub(crate) struct PushArgs {
    /// The module, or the archive of a provider; sign it first.
    file: PathBuf,
    /// Where it goes: REGISTRY/NAME:TAG.
    reference: String,
    #[command(flatten)]
    registry: RegistryArgs,
}

/// What was pushed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    file: String,
    reference: String,
    digest: String,
    /// `pushed` or `unchanged`.
    result: &'static str,
}

pub(crate) fn run(args: &PushArgs, output: Output) -> Result<(), Failure> {
    let image = registry::image(&args.reference)?;
    let (kind, content) = files::read_artifact(&args.file)?;
    let signed_at = signed_at((kind, &content), output);
    let signed_at = signed_at.map_err(|failure| failure.about(args.file.display()))?;
    let Date { year, month, day, hour, minute, second } = Date::of_unix_s(signed_at);
    let created = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
    let package = Package { kind, content: content.into(), created };
    let pushed = runtime::block_on(async {
        let pushed = registry::registries().push(&image, package, args.registry.plain_http).await;
        pushed.map_err(|error| registry::failed(&image, error))
    })?;
    output.show(&Shown {
        file: args.file.display().to_string(),
        reference: image.to_string(),
        digest: written_digest(&pushed.digest),
        result: if pushed.unchanged { "unchanged" } else { "pushed" },
    })
}

/// When it was signed, so that the same file is the same image at any time; 0 when nobody did.
fn signed_at((kind, content): (ImageKind, &[u8]), output: Output) -> Result<u64, Failure> {
    match kind {
        ImageKind::Module => {
            outline(content)?;
            let claims = trellis_claims::inspect(content).claims;
            if claims.is_none() {
                output.note("warning: the module is unsigned; a host runs it for development only");
            }
            Ok(claims.map_or(0, |claims| claims.issued_at))
        }
        // Without claims it is none.
        ImageKind::Archive => {
            let claims = trellis_archive::inspect(content)?.token.claims;
            Ok(claims.map_or(0, |claims| claims.standard.issued_at))
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}", self.result, self.reference)?;
        writeln!(f, "  digest  {}", self.digest)
    }
}
