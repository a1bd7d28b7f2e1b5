//! What a command is, and providers made of it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::sync::Arc;

use parking_lot::Mutex;
use trellis_core::CallError;
use trellis_providers_sdk::{
    Context, Counter, Created, Descriptor, Provider, ProviderFactory, ValueProblem, Values, Wanted,
};

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
}

impl Processes {
    /// Starts processes with this launcher, with parts of this environment; nothing is known yet.
    #[must_use]
    pub fn new(launcher: Launcher, environment: BTreeMap<OsString, OsString>) -> Self {
        Self { launcher, environment: Arc::new(environment), known: Arc::default() }
    }

    /// The variables of a process that names these, besides those that every process is given.
    #[must_use]
    pub fn environment(&self, named: &[String]) -> BTreeMap<OsString, OsString> {
        let names = COMMON_VARIABLES.iter().copied().chain(named.iter().map(String::as_str));
        let pair = |name: &str| self.environment.get_key_value(OsStr::new(name));
        names.filter_map(pair).map(|(name, value)| (name.clone(), value.clone())).collect()
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
        let stamp = command.stamp();
        let known = self.known.lock().get(&command).filter(|it| it.stamp == stamp).cloned();
        let descriptor = match known {
            Some(known) => known.descriptor,
            None => {
                let log = ProcessLog::new(provider);
                let started = Started::new(&self.launcher, &command, &log).await?;
                let descriptor = started.descriptor.clone();
                let known = Known { stamp: stamp.clone(), descriptor: descriptor.clone() };
                self.known.lock().insert(command.clone(), known);
                descriptor
            }
        };
        let launcher = self.launcher.clone();
        let build = format!("{command:?} {stamp:?}");
        let provider = provider.to_owned();
        Ok(Arc::new(ProcessFactory { provider, launcher, command, descriptor, build }))
    }
}

/// Makes providers of one command.
struct ProcessFactory {
    provider: String,
    launcher: Launcher,
    command: ProcessCommand,
    descriptor: Descriptor,
    build: String,
}

impl ProviderFactory for ProcessFactory {
    fn descriptor(&self) -> Descriptor {
        self.descriptor.clone()
    }

    fn build(&self) -> &str {
        &self.build
    }

    /// Its descriptor's rules are all that is known without starting it.
    fn validate(&self, _: &Wanted) -> Vec<ValueProblem> {
        Vec::new()
    }

    fn create(&self, context: Context, values: Values) -> Created {
        let life = Life {
            provider: self.provider.clone(),
            launcher: self.launcher.clone(),
            command: self.command.clone(),
            descriptor: self.descriptor.clone(),
            values,
            context,
            log: ProcessLog::new(&self.provider),
            bindings: Mutex::default(),
            restarts: Counter::default(),
        };
        Box::pin(async move {
            let life = Arc::new(life);
            let live = life.start().await?;
            Ok(Arc::new(ProcessProvider::new(life, live)) as Arc<dyn Provider>)
        })
    }
}
