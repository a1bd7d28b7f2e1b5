//! What a command is, and providers made of it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use parking_lot::Mutex;
use trellis_artifacts::KeptProgram;
use trellis_core::CallError;
use trellis_providers_sdk::{
    BoxFuture, Context, Counter, Created, Descriptor, Kind, Provider, ProviderFactory,
    ValueProblem, Values, Wanted,
};

use super::check::check;
use super::command::{ProcessCommand, Stamp};
use super::keeper::Life;
use super::launcher::Launcher;
use super::log::ProcessLog;
use super::provider::ProcessProvider;
use super::started::Started;

/// The variables of the host's environment that every process is given.
const COMMON_VARIABLES: &[&str] = &[
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "PATH",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TMPDIR",
    "TZ",
];

/// Finds out what commands are. Cheap to clone; the clones know the same.
#[derive(Clone)]
pub struct Processes {
    launcher: Launcher,
    environment: Arc<BTreeMap<OsString, OsString>>,
    known: Arc<Mutex<BTreeMap<ProcessCommand, Known>>>,
}

#[derive(Clone)]
struct Known {
    stamp: Stamp,
    descriptor: Descriptor,
    /// True when it says what is wrong with values.
    checks: bool,
    /// What it found nothing wrong with when it was last asked.
    right: Option<Wanted>,
}

impl Processes {
    /// Starts processes with this launcher, with parts of this environment; nothing is known yet.
    #[must_use]
    pub fn new(launcher: Launcher, environment: BTreeMap<OsString, OsString>) -> Self {
        Self { launcher, environment: Arc::new(environment), known: Arc::default() }
    }

    /// The variables of a process that names these, besides those that every process is given.
    #[must_use]
    pub fn environment<'a>(
        &self,
        named: impl IntoIterator<Item = &'a str>,
    ) -> BTreeMap<OsString, OsString> {
        let names = COMMON_VARIABLES.iter().copied().chain(named);
        let pair = |name: &str| self.environment.get_key_value(OsStr::new(name));
        names.filter_map(pair).map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// True when the host's environment has a variable of that name.
    #[must_use]
    pub fn has_variable(&self, name: &str) -> bool {
        self.environment.contains_key(OsStr::new(name))
    }

    /// What a command is. Starts it, unless it is known and its files are what they were.
    ///
    /// # Errors
    /// [`trellis_core::Code::Provider`] when it cannot be started, says nothing, or says what
    /// cannot be.
    pub async fn factory(
        &self,
        provider: &str,
        command: ProcessCommand,
    ) -> Result<Arc<dyn ProviderFactory>, CallError> {
        self.factory_of(provider, (command, None)).await
    }

    /// The same of one whose program is in a cache, where it stays while it may be started again.
    ///
    /// # Errors
    /// As [`factory`](Self::factory).
    pub async fn factory_of(
        &self,
        provider: &str,
        (command, kept): (ProcessCommand, Option<Arc<KeptProgram>>),
    ) -> Result<Arc<dyn ProviderFactory>, CallError> {
        let stamp = command.stamp();
        let known = self.known.lock().get(&command).filter(|it| it.stamp == stamp).cloned();
        let (known, fresh) = match known {
            Some(known) => (known, None),
            None => {
                let log = ProcessLog::new(provider);
                let started = Started::new(&self.launcher, &command, &log).await?;
                let (descriptor, checks) = (started.descriptor.clone(), started.checks);
                let known = Known { stamp: stamp.clone(), descriptor, checks, right: None };
                self.known.lock().insert(command.clone(), known.clone());
                (known, checks.then_some((started, log)))
            }
        };
        Ok(Arc::new(ProcessFactory {
            provider: provider.to_owned(),
            build: format!("{command:?} {stamp:?} {:x}", digest(&known.descriptor)),
            processes: self.clone(),
            command,
            kept,
            known,
            fresh: Mutex::new(fresh),
        }))
    }

    /// What makes that it has to be found out again what a command is.
    fn forgetting(&self, command: &ProcessCommand) -> Box<dyn Fn() + Send + Sync> {
        let (known, command) = (Arc::clone(&self.known), command.clone());
        Box::new(move || drop(known.lock().remove(&command)))
    }

    /// True when that build of a command was asked about these values, and found nothing wrong.
    fn is_right(&self, command: &ProcessCommand, known: &Known, wanted: &Wanted) -> bool {
        let all = self.known.lock();
        let now = all.get(command).filter(|now| now.stamp == known.stamp);
        now.and_then(|now| now.right.as_ref()) == Some(wanted)
    }

    fn set_right(&self, command: &ProcessCommand, known: &Known, wanted: &Wanted) {
        let mut all = self.known.lock();
        if let Some(now) = all.get_mut(command).filter(|now| now.stamp == known.stamp) {
            now.right = Some(wanted.clone());
        }
    }
}

/// Tells descriptors of programs from one another whose files are the same.
fn digest(descriptor: &Descriptor) -> u64 {
    let mut hasher = DefaultHasher::new();
    format!("{descriptor:?}").hash(&mut hasher);
    hasher.finish()
}

/// Makes providers of one command.
struct ProcessFactory {
    provider: String,
    build: String,
    processes: Processes,
    command: ProcessCommand,
    kept: Option<Arc<KeptProgram>>,
    known: Known,
    /// The process that said what it is, until it is asked about values.
    fresh: Mutex<Option<(Started, ProcessLog)>>,
}

impl ProviderFactory for ProcessFactory {
    fn descriptor(&self) -> Descriptor {
        self.known.descriptor.clone()
    }

    fn kind(&self) -> Kind {
        Kind::Process
    }

    fn build(&self) -> &str {
        &self.build
    }

    /// Its descriptor's rules are all that is known without asking it.
    fn validate(&self, _: &Wanted) -> Vec<ValueProblem> {
        Vec::new()
    }

    fn check<'a>(
        &'a self,
        wanted: &'a Wanted,
    ) -> BoxFuture<'a, Result<Vec<ValueProblem>, CallError>> {
        let Self { processes, command, known, .. } = self;
        let fresh = self.fresh.lock().take();
        Box::pin(async move {
            if !known.checks || processes.is_right(command, known, wanted) {
                return Ok(Vec::new());
            }
            let started = match fresh {
                Some(started) => started,
                None => {
                    let log = ProcessLog::new(&self.provider);
                    (Started::new(&processes.launcher, command, &log).await?, log)
                }
            };
            let found = check(started, (&self.provider, command), wanted.clone()).await?;
            if found.is_empty() {
                processes.set_right(command, known, wanted);
            }
            Ok(found)
        })
    }

    fn create(&self, context: Context, values: Values) -> Created {
        let life = Life {
            provider: self.provider.clone(),
            launcher: self.processes.launcher.clone(),
            forget: self.processes.forgetting(&self.command),
            command: self.command.clone(),
            stamp: self.known.stamp.clone(),
            _kept: self.kept.clone(),
            descriptor: self.known.descriptor.clone(),
            values,
            context,
            log: ProcessLog::new(&self.provider),
            bindings: Mutex::default(),
            restarts: Counter::default(),
            process_id: Mutex::default(),
            refused: Mutex::default(),
        };
        Box::pin(async move {
            let life = Arc::new(life);
            let live = life.start().await?;
            Ok(Arc::new(ProcessProvider::new(life, live)) as Arc<dyn Provider>)
        })
    }
}
