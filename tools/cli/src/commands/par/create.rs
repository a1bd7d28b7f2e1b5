//! `trellis par create`: a signed archive of a program.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use trellis_archive::{Form, Target, inspect, seal, take_apart};
use trellis_claims::token::{Provider, Terms};
use trellis_claims::{Clock, KeyKind, PublicKey, SystemClock};
use trellis_keystore::{KeyName, destination};

use super::sealed::{Sealed, says_the_same};
use super::target::TargetArgs;
use super::words::{check_program, contract_id, line};
use crate::failure::Failure;
use crate::files;
use crate::key_choice::{known_subject, new_subject, signer};
use crate::output::Output;
use crate::terms::{Lifetime, revision};

#[derive(Args, Debug)]
#[command(after_help = "\
The account key `default` signs unless --issuer says otherwise. The provider's own key, of kind
service (V...), is kept in your keystore under the provider's name. Both are made when they are
first needed. Without --destination the archive of ./geo is ./geo.par. An archive that is there
already is replaced if it is of the same provider and platform.")]
pub(crate) struct CreateArgs {
    /// The program: a whole executable that speaks to a host as a provider.
    program: PathBuf,

    /// Where the archive goes.
    #[arg(short, long, value_name = "FILE")]
    destination: Option<PathBuf>,

    /// The contract it serves, such as `wascc:keyvalue` or `acme:geo`.
    #[arg(short, long, alias = "capid", value_name = "CONTRACT", value_parser = contract_id)]
    capability: String,

    /// Who makes it.
    #[arg(long, value_parser = line)]
    vendor: String,

    /// The provider's name; the file's name without it.
    #[arg(short, long, value_parser = line)]
    name: Option<String>,

    /// A number that grows with every release.
    #[arg(short, long = "rev", value_name = "N", allow_negative_numbers = true)]
    #[arg(value_parser = revision)]
    revision: Option<i32>,

    /// A version for people.
    #[arg(short, long = "ver", value_name = "VERSION", value_parser = line)]
    version: Option<String>,

    #[command(flatten)]
    lifetime: Lifetime,

    /// Compresses the archive with gzip.
    #[arg(long)]
    compress: bool,

    /// Replaces an archive of another provider, or one with programs for other platforms.
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    target: TargetArgs,

    /// The account that signs: a name, public key or prefix in your keystore, a seed file, or `-`.
    #[arg(short, long, value_name = "KEY", env = "TRELLIS_ISSUER", hide_env_values = true)]
    #[arg(help_heading = "Keys")]
    issuer: Option<String>,

    /// The provider's own key, as --issuer, or any service public key (V...).
    #[arg(short, long, value_name = "KEY", help_heading = "Keys")]
    subject: Option<String>,

    /// Fails rather than making a key that is missing.
    #[arg(long, help_heading = "Keys")]
    disable_keygen: bool,
}

pub(crate) fn run(args: &CreateArgs, output: Output) -> Result<(), Failure> {
    let target = args.target.target()?;
    let stem = args.program.file_stem().unwrap_or(args.program.as_os_str());
    let name = args.name.clone().unwrap_or_else(|| stem.to_string_lossy().into_owned());
    let destination =
        args.destination.clone().unwrap_or_else(|| args.program.with_extension("par"));
    let program = files::read_program(&args.program)?;
    check_program(&args.program, &program, &target)?;
    files::check_folder(&destination)?;
    let window = args.lifetime.window(SystemClock.now_unix_s())?;
    let known = known_subject(args.subject.as_deref(), KeyKind::Service, &name)?;
    let there = former(&destination)?;
    if !args.force {
        check_former((&destination, &there), known.as_ref(), &target)?;
    }

    // Keys are made from here on: nothing that is refused leaves one behind.
    let make = !args.disable_keygen;
    let asked = args.issuer.as_deref();
    let issuer = signer(asked, KeyKind::Account, &KeyName::default(), make, output)?;
    let subject = match known {
        Some(subject) => subject,
        None => new_subject(KeyKind::Service, &name, make, output)?,
    };
    let terms = Terms {
        subject: subject.to_string(),
        issued_at: SystemClock.now_unix_s(),
        expires: window.expires,
        not_before: window.not_before,
    };
    let claims = Provider {
        name: Some(name),
        contract: Some(args.capability.clone()),
        vendor: args.vendor.clone(),
        revision: args.revision,
        version: args.version.clone(),
        target_hashes: BTreeMap::new(),
        config_schema: None,
    };
    let form = if args.compress { Form::Gzip } else { Form::Plain };
    let programs = BTreeMap::from([(target, program)]);
    let archive = seal((&terms, claims), &programs, &issuer.pair, form)?;
    let (token, _) = take_apart(&archive)?;
    let is_same = |(old, _)| says_the_same(&old, &token) && Form::of(&there) == form;
    if take_apart(&there).is_ok_and(is_same) {
        output.note(format_args!("unchanged: {} says this already", destination.display()));
        let place = (&*destination, there.len());
        return output.show(&Sealed::new("unchanged", (token, issuer.name), place));
    }
    files::write_whole(&destination, &archive)?;
    let place = (&*destination, archive.len());
    output.show(&Sealed::new("created", (token, issuer.name), place))
}

/// What the archive would be written over: an archive, or nothing.
fn former(path: &Path) -> Result<Vec<u8>, Failure> {
    if !destination::is_file(path) {
        return Ok(Vec::new());
    }
    let there = files::read_archive(path)?;
    if there.is_empty() || inspect(&there).is_ok() {
        return Ok(there);
    }
    let message = format!("{} exists and is not an archive", path.display());
    Err(Failure::usage(message).cure("Choose another --destination."))
}

/// Makes sure that nothing is lost by replacing the archive that is there.
fn check_former(
    (path, there): (&Path, &[u8]),
    subject: Option<&PublicKey>,
    target: &Target,
) -> Result<(), Failure> {
    let Ok(seen) = inspect(there) else { return Ok(()) };
    let path = path.display();
    let old = seen.token.claims.map(|claims| claims.standard.subject);
    if let Some(old) = old.filter(|old| subject.map(PublicKey::as_str) != Some(old)) {
        let message = format!("{path} is the archive of another provider, {old}");
        return Err(Failure::usage(message).cure(format!(
            "Choose another --destination; or keep that key with `--subject {old}`; or --force."
        )));
    }
    let others = seen.programs.keys().filter(|other| *other != target);
    let others: Vec<_> = others.map(Target::as_str).collect();
    if others.is_empty() {
        return Ok(());
    }
    let message = format!("{path} also holds programs for {}", others.join(", "));
    Err(Failure::usage(message)
        .cure("`trellis par insert` adds to an archive. To make it anew without these: --force."))
}
