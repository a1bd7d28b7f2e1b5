//! What the programs of a manifest are: each is started and asked, unless it is known.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf, absolute};
use std::sync::Arc;

use futures_util::future::join_all;
use trellis_core::{CallError, Code};
use trellis_manifest::{Manifest, Problem, ProcessSpec, ProviderKind, Spanned};
use trellis_providers_sdk::ProviderFactory;
use trellis_targets::process::{ProcessCommand, ProcessLimits, Processes, Unstartable};

use super::context::PrepareContext;
use super::warning::Warning;

/// The programs of a manifest by their provider's name, or why one is of no use.
pub(super) type Programs = BTreeMap<String, Result<Arc<dyn ProviderFactory>, Problem>>;

/// Asks all of them at once.
pub(super) async fn find(manifest: &Manifest, context: &PrepareContext<'_>) -> Programs {
    let named = manifest.providers.iter().filter_map(|spec| match &spec.value.kind {
        ProviderKind::Process(process) => Some((spec.value.name.value.as_str(), &**process)),
        ProviderKind::Builtin(_) => None,
    });
    let asked = named.map(|(name, spec)| async move {
        let found = match &context.processes {
            Some(processes) => {
                let command = command(spec, context.folder, processes);
                match command.look() {
                    Ok(()) => {
                        let found = processes.factory(name, command).await;
                        found.map_err(|error| unusable(spec, &error))
                    }
                    Err(why) => Err(unstartable(spec, why, (&command, context.folder))),
                }
            }
            None => Err(Problem::new(spec.command.span, "no programs are started here")),
        };
        (name.to_owned(), found)
    });
    join_all(asked).await.into_iter().collect()
}

/// The variables that programs are to be given and the host does not have.
pub(super) fn warnings(manifest: &Manifest, context: &PrepareContext<'_>) -> Vec<Warning> {
    let Some(processes) = &context.processes else { return Vec::new() };
    let specs = manifest.providers.iter().filter_map(|spec| match &spec.value.kind {
        ProviderKind::Process(process) => Some(&**process),
        ProviderKind::Builtin(_) => None,
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
    Problem::new(spec.command.span, error.message().to_owned()).code(error.code()).help(help)
}

/// Why a command cannot be started, and what was probably meant.
fn unstartable(
    spec: &ProcessSpec,
    why: Unstartable,
    (command, folder): (&ProcessCommand, &Path),
) -> Problem {
    let written = &*spec.command.value;
    let at = |span, text: String, help: String| Problem::new(span, text).help(help);
    let start = format!("paths start from the manifest's folder, {}", whole(folder).display());
    match why {
        Unstartable::NoFolder => {
            let span = spec.folder.as_ref().map_or(spec.command.span, |folder| folder.span);
            at(span, format!("there is no folder {}", command.folder.display()), start)
        }
        Unstartable::NotExecutable => {
            let text = format!("`{written}` may not be executed");
            let help = format!(
                "`chmod +x {written}`, or name what runs it: `process: {{command: python3, args: \
                 [{written}]}}`"
            );
            at(spec.command.span, text, help)
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
            at(spec.command.span, format!("there is no program `{written}`"), help)
        }
    }
    .code(Code::NotFound)
}

/// The command that a manifest in this folder means.
fn command(spec: &ProcessSpec, folder: &Path, processes: &Processes) -> ProcessCommand {
    let program = spec.command.value.as_str();
    // As a shell has it: a name without a slash is looked for, a path is a path.
    let program =
        if program.contains('/') { whole(&folder.join(program)) } else { PathBuf::from(program) };
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
    }
}

/// A path that means the same from any folder. The empty one is the folder of this process.
fn whole(path: &Path) -> PathBuf {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    absolute(path).unwrap_or_else(|_| path.to_owned())
}
