//! What the programs of a manifest are: each is started and asked, unless it is known.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::path::{Path, PathBuf, absolute};
use std::sync::Arc;

use futures_util::future::join_all;
use trellis_claims::VerifiedProvider;
use trellis_core::{CallError, Code};
use trellis_manifest::{Manifest, Problem, ProcessSpec, ProgramSpec, ProviderKind, Spanned};
use trellis_providers_sdk::ProviderFactory;
use trellis_targets::process::{ProcessCommand, ProcessLimits, Processes, Unstartable};

use super::archives::{self, Unpacked};
use super::context::PrepareContext;
use super::located::Resolved;
use super::proof::ArchiveProof;
use super::warning::Warning;

/// A program that is a provider.
pub(super) struct Program {
    pub(super) factory: Arc<dyn ProviderFactory>,
    /// Who vouches for it, when it came in an archive.
    pub(super) claims: Option<VerifiedProvider>,
    /// Of an archive that is an image, what that stands for.
    pub(super) resolved: Option<Resolved>,
}

/// The programs of a manifest by their provider's name, or why one is of no use.
pub(super) type Programs = BTreeMap<String, Result<Program, Problem>>;

/// Asks all of them at once. Nothing of an archive runs before it was verified.
pub(super) async fn find(manifest: &Manifest, context: &PrepareContext<'_>) -> Programs {
    let mut unpacked = archives::unpack(manifest, context).await;
    let named = manifest.providers.iter().filter_map(|spec| match &spec.value.kind {
        ProviderKind::Process(_) if context.kept.provider(&spec.value.name.value).is_some() => None,
        ProviderKind::Process(process) => Some((spec.value.name.value.as_str(), &**process)),
        ProviderKind::Builtin(_) | ProviderKind::Module(_) => None,
    });
    let asked = named.map(|(name, spec)| {
        let archive = match &spec.program {
            ProgramSpec::Command(_) => Ok(None),
            // Of two with one name the second is left out, which is told elsewhere.
            ProgramSpec::Archive(file) => match unpacked.remove(name) {
                Some(archive) => archive.map(Some),
                None => Err(Problem::new(file.span, format!("`{name}` is listed twice"))),
            },
        };
        async move {
            let found = match archive {
                Ok(archive) => ask((name, spec), archive, context).await,
                Err(problem) => Err(problem),
            };
            (name.to_owned(), found)
        }
    });
    join_all(asked).await.into_iter().collect()
}

/// Starts a program, unless it is known, and hears what it is.
async fn ask(
    (name, spec): (&str, &ProcessSpec),
    archive: Option<Unpacked>,
    context: &PrepareContext<'_>,
) -> Result<Program, Problem> {
    let (archive, resolved) = archive.map(|it| (it.proof, it.resolved)).unzip();
    let written = spec.program.written();
    let Some(processes) = &context.processes else {
        return Err(Problem::new(written.span, "no programs are started here"));
    };
    let command = command(spec, archive.as_ref(), (context.folder, processes));
    command.look().map_err(|why| unstartable(spec, why, (&command, context.folder)))?;
    let kept = archive.as_ref().map(|archive| Arc::clone(&archive.program));
    let factory = processes.factory_of(name, (command, kept)).await;
    let factory = factory.map_err(|error| unusable(spec, &error))?;
    let claims = archive.map(|archive| archive.claims);
    if let Some(claims) = &claims {
        archives::check_contract(written, claims, &factory.descriptor())?;
    }
    Ok(Program { factory, claims, resolved: resolved.flatten() })
}

/// The variables that programs are to be given and the host does not have.
pub(super) fn warnings(manifest: &Manifest, context: &PrepareContext<'_>) -> Vec<Warning> {
    let Some(processes) = &context.processes else { return Vec::new() };
    let specs = manifest.providers.iter().filter_map(|spec| match &spec.value.kind {
        ProviderKind::Process(process) => Some(&**process),
        ProviderKind::Builtin(_) | ProviderKind::Module(_) => None,
    });
    let names = specs.flat_map(|spec| &spec.environment);
    let unset = names.filter(|name| !processes.has_variable(&name.value));
    let warning = |name: &Spanned<String>| {
        let text = format!("the host's environment has no variable `{}`", name.value);
        let problem = Problem::new(name.span, text)
            .help("the program starts without it; set it where the host is started");
        Warning { problem, lasting: Some("a variable of a program is not set") }
    };
    unset.map(warning).collect()
}

fn unusable(spec: &ProcessSpec, error: &CallError) -> Problem {
    let mut help =
        "run the program by hand to see what it says; a provider's SDK tells what is missing"
            .to_owned();
    if let Some(bytes) = spec.limits.memory_bytes_max {
        help += &format!(", or `limits: {{memory}}` is too little: {} MiB", bytes >> 20);
    }
    let span = spec.program.written().span;
    Problem::new(span, error.message().to_owned()).code(error.code()).help(help)
}

/// Why a command cannot be started, and what was probably meant.
fn unstartable(
    spec: &ProcessSpec,
    why: Unstartable,
    (command, folder): (&ProcessCommand, &Path),
) -> Problem {
    let Spanned { value: written, span: place } = spec.program.written();
    let (written, place) = (written.as_str(), *place);
    let at = |span, text: String, help: String| Problem::new(span, text).help(help);
    let start = format!("paths start from the manifest's folder, {}", whole(folder).display());
    match why {
        Unstartable::NoFolder => {
            let span = spec.folder.as_ref().map_or(place, |folder| folder.span);
            at(span, format!("there is no folder {}", command.folder.display()), start)
        }
        Unstartable::NotExecutable => {
            let text = format!("`{written}` may not be executed");
            let help = format!(
                "`chmod +x {written}`, or name what runs it: `process: {{command: python3, args: \
                 [{written}]}}`"
            );
            at(place, text, help)
        }
        Unstartable::NoProgram => {
            let help = match written.split_once(char::is_whitespace) {
                Some((program, arguments)) => format!(
                    "arguments stand apart: `process: {{command: {program}, args: [{}]}}`",
                    arguments.split_whitespace().collect::<Vec<_>>().join(", ")
                ),
                None if written.starts_with('~') => {
                    "`~` means nothing here; `${HOME}` does".to_owned()
                }
                None if written.contains('/') => start,
                None if folder.join(written).is_file() => {
                    format!("did you mean `./{written}`?")
                }
                None => format!("a name without `/` is looked for in PATH; {start}"),
            };
            at(place, format!("there is no program `{written}`"), help)
        }
        Unstartable::NoForm | Unstartable::Foreign => {
            return at(place, misformed(written, why, command), cure(why, command))
                .code(Code::Config);
        }
    }
    .code(Code::NotFound)
}

/// What is wrong with a file that may be executed, and that the system does not start.
fn misformed(written: &str, why: Unstartable, command: &ProcessCommand) -> String {
    let what = if command.digest.is_some() { "the program in " } else { "" };
    match why {
        Unstartable::Foreign => format!("{what}`{written}` was built for another kind of machine"),
        _ => format!(
            "{what}`{written}` is neither an ELF program nor a script that begins with `#!`"
        ),
    }
}

fn cure(why: Unstartable, command: &ProcessCommand) -> String {
    let cure = match (why, command.digest.is_some()) {
        (Unstartable::Foreign, false) => return format!("build it for {ARCH}"),
        (Unstartable::Foreign, true) => {
            return format!("`trellis par insert` a program that was built for {ARCH}");
        }
        (_, true) => "make the archive of the built program, or of a script whose first line",
        (_, false) => "name the built program; or have the first line of a script",
    };
    format!("{cure} say what runs it, such as `#!/usr/bin/env python3`")
}

/// The command that a manifest in this folder means.
fn command(
    spec: &ProcessSpec,
    archive: Option<&ArchiveProof>,
    (folder, processes): (&Path, &Processes),
) -> ProcessCommand {
    let program = match (archive, spec.program.written().as_str()) {
        (Some(archive), _) => whole(archive.program.path()),
        // As a shell has it: a name without a slash is looked for, a path is a path.
        (None, path) if path.contains('/') => whole(&folder.join(path)),
        (None, name) => PathBuf::from(name),
    };
    let default = ProcessLimits::default();
    let limits = ProcessLimits {
        memory_bytes_max: spec.limits.memory_bytes_max.unwrap_or(default.memory_bytes_max),
        open_files_max: spec.limits.open_files_max.map_or(default.open_files_max, u64::from),
        processes_max: spec.limits.processes_max.map_or(default.processes_max, u64::from),
        restart_backoffs_max: (spec.limits.restart_backoffs_max)
            .unwrap_or(default.restart_backoffs_max),
    };
    ProcessCommand {
        program,
        args: spec.args.clone(),
        folder: whole(&folder.join(spec.folder.as_ref().map_or("", |it| &it.value))),
        environment: processes.environment(spec.environment.iter().map(|it| &*it.value)),
        limits,
        digest: archive.map(|archive| *archive.program.digest()),
    }
}

/// A path that means the same from any folder. The empty one is the folder of this process.
fn whole(path: &Path) -> PathBuf {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    absolute(path).unwrap_or_else(|_| path.to_owned())
}
