//! What the programs of a manifest are: each is started and asked, unless it is known.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf, absolute};
use std::sync::Arc;

use futures_util::future::join_all;
use trellis_core::CallError;
use trellis_manifest::{Manifest, Problem, ProcessSpec, ProviderKind};
use trellis_providers_sdk::ProviderFactory;
use trellis_targets::process::{ProcessCommand, ProcessLimits, Processes};

use super::context::PrepareContext;

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
                processes.factory(name, command).await.map_err(|error| unusable(spec, &error))
            }
            None => Err(Problem::new(spec.command.span, "no programs are started here")),
        };
        (name.to_owned(), found)
    });
    join_all(asked).await.into_iter().collect()
}

fn unusable(spec: &ProcessSpec, error: &CallError) -> Problem {
    Problem::new(spec.command.span, error.message().to_owned())
        .code(error.code())
        .help("run the program by hand to see what it says; a provider's SDK tells what is missing")
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
    };
    ProcessCommand {
        program,
        args: spec.args.clone(),
        folder: whole(&folder.join(spec.folder.as_deref().unwrap_or_default())),
        environment: processes.environment(&spec.environment),
        limits,
    }
}

/// A path that means the same from any folder. The empty one is the folder of this process.
fn whole(path: &Path) -> PathBuf {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    absolute(path).unwrap_or_else(|_| path.to_owned())
}
