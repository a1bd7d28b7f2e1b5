//! What implements a provider: a part of the host, a program, a module, or what the originals name.

use std::path::Path;

use trellis_limits::ActorLimits;

use crate::form::{Name, Text};
use crate::module_limits::module_limits;
use crate::originals;
use crate::report::{Problem, Problems, quoted};
use crate::shape::{Archive, ArchiveKeys, Module, ModuleKeys, Process, ProcessKeys, ProcessLimits};
use crate::source::{Span, Spanned};
use crate::spec::{ProcessLimitsSpec, ProcessSpec, ProgramSpec, ProviderKind, ProviderModuleSpec};

/// What implements a provider, as written: one of these.
pub(crate) struct Given {
    pub(crate) builtin: Option<Name>,
    pub(crate) process: Option<Process>,
    pub(crate) archive: Option<Archive>,
    pub(crate) module: Option<Module>,
    pub(crate) path: Option<Text>,
}

impl Given {
    /// The keys that are there.
    fn keys(&self) -> Vec<&'static str> {
        let keys = [
            ("builtin", self.builtin.is_some()),
            ("process", self.process.is_some()),
            ("archive", self.archive.is_some()),
            ("module", self.module.is_some()),
            ("path", self.path.is_some()),
        ];
        keys.into_iter().filter_map(|(key, given)| given.then_some(key)).collect()
    }
}

/// What implements a provider, and what it is called unless it is given a name.
pub(crate) fn provider_kind(
    given: Given,
    span: Span,
    problems: &mut Problems,
) -> Option<(ProviderKind, Text)> {
    match &*given.keys() {
        [_] => {}
        [] => {
            let needed = "a provider needs `builtin`, `process`, `archive` or `module`";
            problems.push(Problem::new(span, needed).help(
                "write `builtin: NAME`, such as `builtin: http-server`, `process: PATH` for a \
                 program, `archive: FILE` for a signed archive of one, or `module: FILE` for a \
                 signed module",
            ));
            return None;
        }
        [keep, ..] => {
            let one = "a provider is one of `builtin`, `process`, `archive`, `module` and `path`";
            problems.push(
                Problem::new(span, one)
                    .help(format!("keep `{keep}`, or write a provider for each")),
            );
            return None;
        }
    }
    let Given { builtin, process, archive, module, path } = given;
    let builtin = builtin.map(|Name(name)| (ProviderKind::Builtin(name.clone()), name));
    let process = process.map(|Process(process)| program(process_spec(process)));
    let archive = archive.map(|Archive(archive)| program(archive_spec(archive)));
    let module = module.map(|module| module_kind(module, problems));
    let known = builtin.or(process).or(archive).or(module);
    known.or_else(|| original_kind(path?, problems))
}

/// A module has one instance unless the manifest says otherwise: it may keep in its memory what all
/// calls need. That one is always there.
fn module_kind(Module(written): Module, problems: &mut Problems) -> (ProviderKind, Text) {
    let ModuleKeys { file, instances, limits } = written;
    let one = ActorLimits { instances_min: 1, instances_max: 1, ..ActorLimits::default() };
    let (limits, written_limits) = module_limits(one, (instances.as_ref(), &limits), problems);
    let name = artifact_name(&file);
    (ProviderKind::Module(Box::new(ProviderModuleSpec { file, limits, written_limits })), name)
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
        restart_backoffs_max: limits.restart_backoffs.map(|count| count.0.value),
    })
}

/// A provider that is a program, and what it is called.
fn program(spec: ProcessSpec) -> (ProviderKind, Text) {
    let name = match &spec.program {
        ProgramSpec::Command(command) => file_name(command),
        ProgramSpec::Archive(named) => artifact_name(named),
    };
    (ProviderKind::Process(Box::new(spec)), name)
}

/// What a module or an archive is called: its file or its image, without what is around its name.
fn artifact_name(written: &Text) -> Text {
    let last = written.value.rsplit('/').next().unwrap_or(&written.value);
    match last.split_once([':', '@']) {
        Some((name, _)) => Spanned::new(name.to_owned(), written.span),
        None => file_name(written),
    }
}

/// What a program, an archive or a module is called: its file, without folders and extensions.
fn file_name(written: &Text) -> Text {
    let file = originals::archive_stem(&written.value).unwrap_or(&written.value);
    let stem = Path::new(file).file_stem().and_then(|stem| stem.to_str());
    Spanned::new(stem.unwrap_or(&written.value).to_owned(), written.span)
}

/// What the originals' `path` means: a built-in provider, or the archive or module that it names.
fn original_kind(path: Text, problems: &mut Problems) -> Option<(ProviderKind, Text)> {
    if originals::is_module(&path) {
        return Some(module_kind(Module::plain(path), problems));
    }
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
                "native libraries are not loaded; write `archive: FILE` for the archive of a \
                 program, or its image in a registry, or `builtin: NAME`, with one of: {}",
                builtins.join(", ")
            )),
        );
    }
    builtin.map(|builtin| Spanned::new(builtin.to_owned(), path.span))
}
