//! What implements a provider: a part of the host, a program, or what the originals name.

use std::path::Path;

use crate::form::{Name, Text};
use crate::originals;
use crate::report::{Problem, Problems, quoted};
use crate::shape::{Archive, ArchiveKeys, Process, ProcessKeys, ProcessLimits};
use crate::source::{Span, Spanned};
use crate::spec::{ProcessLimitsSpec, ProcessSpec, ProgramSpec, ProviderKind};

/// What implements a provider, as written: one of these.
pub(crate) struct Given {
    pub(crate) builtin: Option<Name>,
    pub(crate) process: Option<Process>,
    pub(crate) archive: Option<Archive>,
    pub(crate) path: Option<Text>,
}

/// What implements a provider, and what it is called unless it is given a name.
pub(crate) fn provider_kind(
    given: Given,
    span: Span,
    problems: &mut Problems,
) -> Option<(ProviderKind, Text)> {
    match given {
        Given { builtin: Some(Name(builtin)), process: None, archive: None, path: None } => {
            Some((ProviderKind::Builtin(builtin.clone()), builtin))
        }
        Given { builtin: None, process: Some(Process(process)), archive: None, path: None } => {
            Some(program(process_spec(process)))
        }
        Given { builtin: None, process: None, archive: Some(Archive(archive)), path: None } => {
            Some(program(archive_spec(archive)))
        }
        Given { builtin: None, process: None, archive: None, path: Some(path) } => {
            original_kind(path, problems)
        }
        Given { builtin: None, process: None, archive: None, path: None } => {
            let needed = "a provider needs `builtin`, `process` or `archive`";
            problems.push(Problem::new(span, needed).help(
                "write `builtin: NAME`, such as `builtin: http-server`, `process: PATH` for a \
                 program, or `archive: FILE` for a signed archive of one",
            ));
            None
        }
        Given { builtin, process, .. } => {
            let keep = match (builtin, process) {
                (Some(_), _) => "builtin",
                (None, Some(_)) => "process",
                (None, None) => "archive",
            };
            let one = "a provider is one of `builtin`, `process`, `archive` and `path`";
            problems.push(
                Problem::new(span, one)
                    .help(format!("keep `{keep}`, or write a provider for each")),
            );
            None
        }
    }
}

fn process_spec(written: ProcessKeys) -> ProcessSpec {
    ProcessSpec {
        program: ProgramSpec::Command(written.command),
        args: written.args.items.into_iter().map(|argument| argument.value.value).collect(),
        folder: written.folder,
        environment: written.environment.items.into_iter().map(|it| it.value.0).collect(),
        limits: process_limits(written.limits),
    }
}

fn archive_spec(written: ArchiveKeys) -> ProcessSpec {
    ProcessSpec {
        program: ProgramSpec::Archive(written.file),
        args: written.args.items.into_iter().map(|argument| argument.value.value).collect(),
        folder: written.folder,
        environment: written.environment.items.into_iter().map(|it| it.value.0).collect(),
        limits: process_limits(written.limits),
    }
}

fn process_limits(written: Option<ProcessLimits>) -> ProcessLimitsSpec {
    written.map_or_else(ProcessLimitsSpec::default, |limits| ProcessLimitsSpec {
        memory_bytes_max: limits.memory.map(|size| size.0),
        open_files_max: limits.open_files.map(|count| count.0.value),
        processes_max: limits.processes.map(|count| count.0.value),
    })
}

/// A provider that is a program, and what it is called: its file, without folders and extensions.
fn program(spec: ProcessSpec) -> (ProviderKind, Text) {
    let written = spec.program.written();
    let file = originals::archive_stem(&written.value).unwrap_or(&written.value);
    let stem = Path::new(file).file_stem().and_then(|stem| stem.to_str());
    let name = Spanned::new(stem.unwrap_or(&written.value).to_owned(), written.span);
    (ProviderKind::Process(Box::new(spec)), name)
}

/// What the originals' `path` means: a built-in provider, or the archive that it names.
fn original_kind(path: Text, problems: &mut Problems) -> Option<(ProviderKind, Text)> {
    let is_archive = originals::archive_stem(&path).is_some();
    if is_archive && originals::builtin_for(&path).is_none() {
        return Some(program(archive_spec(Archive::of_file(path).0)));
    }
    let builtin = original_builtin(&path, problems)?;
    Some((ProviderKind::Builtin(builtin.clone()), builtin))
}

fn original_builtin(path: &Text, problems: &mut Problems) -> Option<Text> {
    let builtin = originals::builtin_for(path);
    if builtin.is_none() {
        let mut builtins: Vec<_> =
            originals::PROVIDERS.iter().map(|(_, builtin)| *builtin).collect();
        builtins.dedup();
        problems.push(
            Problem::new(
                path.span,
                format!("no built-in provider takes the place of {}", quoted(path)),
            )
            .help(format!(
                "native libraries and images of registries are not loaded; write `archive: FILE` \
                 for the archive of a program, or `builtin: NAME`, with one of: {}",
                builtins.join(", ")
            )),
        );
    }
    builtin.map(|builtin| Spanned::new(builtin.to_owned(), path.span))
}
