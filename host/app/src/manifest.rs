//! The manifest as a file among files: read, resolved against its folder, prepared.
//!
//! In two steps, so that a host can act in between: the text with whom it trusts, then everything
//! the text names. Both run on threads that may block, and dropping a step abandons it.

mod file;
mod loaded;
mod prepared;
mod rest;
mod trusted;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use trellis_artifacts::{Credentials, Named, ProgramCache, Registries};
use trellis_claims::{SystemClock, TrustList};
use trellis_control::ComponentKind;
use trellis_engine::{Checker, Engine};
use trellis_manifest::{
    Format, Manifest, Problem, ProgramSpec, ProviderKind, Report, Rest, SourceText, Wrong,
};
use trellis_providers_sdk::ProviderFactory;
use trellis_supervisor::{
    Archives, Images, Kept, Lacks, LastRuns, Meaning, Modules, PrepareContext, Prepared, prepare,
};
use trellis_targets::module::ModuleProviders;
use trellis_targets::process::Processes;

use crate::args::HostArgs;
use crate::aside::{Turn, aside};
use crate::children::{asking_engine, processes};
use crate::edits::Subject;
use crate::failure::Failure;
use crate::providers::builtins;
use crate::record::RunRecord;
use crate::settings::StartSettings;
use crate::trust::{Held, OwnIssuer};
use crate::users::TextUsers;
use file::{read_file, unreadable};
pub(crate) use loaded::{Loaded, Made};

/// The folder in the cache where the programs of archives are unpacked.
const PROGRAMS_FOLDER: &str = "programs";

/// Most files that are named when they are slow.
const SLOW_NAMED_MAX: usize = 3;

/// What a manifest is loaded for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum For {
    /// To be started; what that finds out anyway is left to it.
    Starting,
    /// To take the place of one that runs, of which it may change nothing if it has a mistake.
    Changing,
    /// To be told what is wrong with it.
    Checking,
}

/// Reads one manifest again and again, and remembers what did not change.
pub(crate) struct Loader {
    /// What the user says of everything that is read.
    args: HostArgs,
    builtins: Vec<Arc<dyn ProviderFactory>>,
    processes: Option<Processes>,
    module_providers: OnceLock<ModuleProviders>,
    own: OwnIssuer,
    modules: Modules,
    archives: Archives,
    registries: Registries,
    checker: Mutex<Option<Arc<Checker>>>,
    record: RunRecord,
    /// The last text that could be read, and what it means.
    text: Mutex<Option<(SourceText, Arc<Manifest>)>>,
    /// Whom the last manifest that was right trusts, without whomever a text trusts no more since
    /// then: none that is wrong, or names something that is, takes a revocation back.
    trust: Mutex<TrustList>,
    /// What the last text does not say of that.
    held: Mutex<Held>,
    turn: Turn,
    /// Of who copies the files of edits: their disk may hang.
    copying: Turn,
    /// True once its bytes were read.
    was_read: AtomicBool,
}

/// The text of a manifest, and what it means as far as the text alone can tell.
pub(crate) struct Written {
    /// What it means, or everything that is wrong with the text.
    pub(crate) manifest: Result<Meant, Failure>,
    /// Whom to hold against what runs; as much of it as can be read from a wrong text.
    pub(crate) trust: TrustList,
    /// Who is still a user of the admin API.
    pub(crate) users: TextUsers,
    /// What is right of a text that is wrong.
    rest: Option<(SourceText, Box<Rest>)>,
}

/// A text that is right.
pub(crate) struct Meant {
    pub(crate) manifest: Arc<Manifest>,
    source: SourceText,
    /// Whom it trusts, once all it names is right.
    trust: TrustList,
    /// Keys under `trust`, and of users, that are none, and what telemetry cannot use.
    wrong_values: Vec<Problem>,
}

impl Loader {
    /// Reads the manifest of these arguments, when asked to.
    pub(crate) fn new(args: &HostArgs) -> Arc<Self> {
        Arc::new(Self {
            args: args.clone(),
            builtins: builtins(),
            processes: processes(),
            module_providers: OnceLock::new(),
            own: OwnIssuer::default(),
            modules: Modules::new(),
            archives: Archives::new(),
            registries: Registries::new(Credentials::of_user()),
            checker: Mutex::default(),
            record: RunRecord::new(&args.manifest, args.force),
            text: Mutex::default(),
            trust: Mutex::default(),
            held: Mutex::default(),
            turn: Turn::default(),
            copying: Turn::default(),
            was_read: AtomicBool::new(false),
        })
    }

    /// The manifest's folder, where its relative paths start.
    pub(crate) fn folder(&self) -> &Path {
        self.path().parent().unwrap_or(Path::new(""))
    }

    /// The file itself.
    pub(crate) fn path(&self) -> &Path {
        &self.args.manifest
    }

    /// What is known of the modules that were read.
    pub(crate) const fn modules(&self) -> &Modules {
        &self.modules
    }

    /// From now on providers that are modules run in this sandbox. Said before anything is
    /// prepared that is to run.
    pub(crate) fn runs_in(&self, engine: &Engine) {
        // It is said once, by who builds the host.
        drop(self.module_providers.set(ModuleProviders::new(engine.clone())));
    }

    /// What is known of the archives that were read.
    pub(crate) const fn archives(&self) -> &Archives {
        &self.archives
    }

    /// The files of the modules and the archives that the manifest names. What is in a registry is
    /// no file.
    pub(crate) fn files(&self, manifest: &Manifest) -> Vec<PathBuf> {
        let file_of = |named: &String| match Named::read(self.folder(), named) {
            Ok(Named::File(path)) => Some(path),
            Ok(Named::Image(_)) | Err(_) => None,
        };
        let actors = manifest.actors.iter().filter_map(|actor| file_of(&actor.value.image.value));
        let providers = manifest.providers.iter().filter_map(|spec| match &spec.value.kind {
            ProviderKind::Module(spec) => file_of(&spec.file.value),
            ProviderKind::Process(process) => match &process.program {
                ProgramSpec::Archive(file) => file_of(&file.value),
                ProgramSpec::Command(_) => None,
            },
            ProviderKind::Builtin(_) => None,
        });
        actors.chain(providers).collect()
    }

    /// The programs that it names by a path. A name without a slash is looked for elsewhere.
    pub(crate) fn programs(&self, manifest: &Manifest) -> Vec<PathBuf> {
        let program = |spec: &ProviderKind| match spec {
            ProviderKind::Process(process) => match &process.program {
                ProgramSpec::Command(file) if file.value.contains('/') => {
                    Some(self.folder().join(&file.value))
                }
                ProgramSpec::Command(_) | ProgramSpec::Archive(_) => None,
            },
            ProviderKind::Module(_) | ProviderKind::Builtin(_) => None,
        };
        manifest.providers.iter().filter_map(|spec| program(&spec.value.kind)).collect()
    }

    /// Reads the text.
    ///
    /// # Errors
    /// When the text cannot be read at all, or its list of trusted accounts cannot be determined.
    pub(crate) async fn read(self: &Arc<Self>) -> Result<Written, Failure> {
        let loader = Arc::clone(self);
        aside(&self.turn, move || loader.read_here()).await?
    }

    /// Checks what a manifest names.
    async fn check(
        &self,
        (manifest, source, lacks): (&Manifest, &SourceText, Lacks),
        trust: &TrustList,
        (purpose, (kept, meaning), forced): (For, (Kept, Meaning), Option<&Subject>),
    ) -> Result<Result<Prepared, Report>, Failure> {
        let checker = match purpose {
            For::Starting => None,
            For::Changing | For::Checking => Some(self.checker()?),
        };
        let StartSettings { admin, cache, .. } = StartSettings::of(&self.args, &manifest.host);
        let programs = cache.as_ref().map(|cache| ProgramCache::new(cache.join(PROGRAMS_FOLDER)));
        let mut last_runs = self.record.known();
        if let Some(subject) = forced.filter(|subject| subject.kind == ComponentKind::Actor) {
            last_runs.remove(&*subject.name);
        }
        let context = PrepareContext {
            processes: self.processes.clone(),
            module_providers: self.module_providers(manifest)?,
            modules: self.modules.clone(),
            archives: self.archives.clone(),
            programs,
            images: Images { registries: self.registries.clone(), cache },
            checker,
            survey: purpose == For::Checking,
            last_runs,
            force: self.args.force,
            host_addresses: admin.into_iter().collect(),
            lacks,
            kept,
            meaning,
            ..PrepareContext::new(self.folder(), &self.builtins, trust, Arc::new(SystemClock))
        };
        Ok(prepare(manifest, source, &context).await)
    }

    /// What asks modules what they serve; made when it is needed first. Without a host that runs,
    /// they are asked in a small sandbox.
    fn module_providers(&self, manifest: &Manifest) -> Result<Option<ModuleProviders>, Failure> {
        let is_module = |kind: &ProviderKind| matches!(kind, ProviderKind::Module(_));
        if !manifest.providers.iter().any(|provider| is_module(&provider.value.kind)) {
            return Ok(None);
        }
        if let Some(known) = self.module_providers.get() {
            return Ok(Some(known.clone()));
        }
        let engine = asking_engine().map_err(|error| Failure::call("the sandbox", error))?;
        Ok(Some(self.module_providers.get_or_init(|| ModuleProviders::new(engine)).clone()))
    }

    /// What checks modules; made when it is needed first.
    fn checker(&self) -> Result<Arc<Checker>, Failure> {
        let mut known = self.checker.lock();
        if let Some(checker) = &*known {
            return Ok(Arc::clone(checker));
        }
        let made = Checker::new().map_err(|error| Failure::call("checking modules", error))?;
        Ok(Arc::clone(known.insert(Arc::new(made))))
    }

    /// Reads or copies the file of an edit, on a thread that may block, one at a time: a disk that
    /// hangs costs one thread.
    ///
    /// # Errors
    /// As [`aside`].
    pub(crate) async fn copy<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        aside(&self.copying, work).await
    }

    /// What takes longer than `limit`.
    pub(crate) fn slow(&self, limit: Duration) -> String {
        let mut slow = self.modules.slower_than(limit);
        slow.extend(self.archives.slower_than(limit));
        let limit = limit.as_secs();
        if slow.is_empty() {
            let path = self.path().display();
            return format!("reading {path} and what it names takes longer than {limit} s");
        }
        let named: Vec<_> = slow.iter().take(SLOW_NAMED_MAX).map(ToString::to_string).collect();
        let more = if named.len() < slow.len() { " and others" } else { "" };
        let named = named.join(", ");
        format!("reading {named}{more} takes longer than {limit} s; does the disk answer?")
    }

    /// These are the actors of the manifest that is applied: what is known of others is what may be
    /// forgotten.
    pub(crate) fn names(&self, wanted: &LastRuns) {
        self.record.name(wanted);
    }

    /// Remembers actors that run now, for this host and for the next one. Waits for no disk.
    pub(crate) fn remember(&self, runs: LastRuns) {
        self.record.keep(runs);
    }

    /// Waits until what is remembered is written.
    pub(crate) async fn remembered(&self) {
        self.record.written().await;
    }

    fn read_here(&self) -> Result<Written, Failure> {
        self.record.read();
        let name = self.path().display().to_string();
        let bytes = self.bytes().map_err(|error| unreadable(self.path(), &error))?;
        let format = Format::of_path(self.path());
        let is_cut = bytes.len() > trellis_manifest::BYTES_MAX;
        let source = match SourceText::from_bytes(&name, bytes, format) {
            Ok(source) => source,
            Err(report) => {
                let source = report.source_text().clone();
                return Ok(self.wrong(source, Wrong { report, rest: None }, is_cut));
            }
        };
        match self.understand(&source) {
            Ok(manifest) => self.right(source, manifest),
            Err(wrong) => Ok(self.wrong(source, wrong, is_cut)),
        }
    }

    /// Its bytes. A pipe is read the first time only: one that takes the place of the file may have
    /// no end, and what came out of the first is gone.
    fn bytes(&self) -> std::io::Result<Vec<u8>> {
        // Relaxed: one thread at a time reads.
        if self.was_read.load(Ordering::Relaxed) && !std::fs::metadata(self.path())?.is_file() {
            let message = "it is now a device, a pipe or a folder, not a file";
            return Err(std::io::Error::other(message));
        }
        let bytes = read_file(self.path())?;
        self.was_read.store(true, Ordering::Relaxed);
        Ok(bytes)
    }

    /// A text that did not change means what it meant: the environment of a process stands still.
    fn understand(&self, source: &SourceText) -> Result<Arc<Manifest>, Wrong> {
        let mut known = self.text.lock();
        if let Some((text, manifest)) = &*known
            && text == source
        {
            return Ok(Arc::clone(manifest));
        }
        let manifest = trellis_manifest::read_rest(source, &environment)?;
        let manifest = Arc::new(manifest);
        *known = Some((source.clone(), Arc::clone(&manifest)));
        Ok(manifest)
    }
}
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn wrong(report: Report) -> Failure {
    Failure::Manifest(Box::new(report))
}
