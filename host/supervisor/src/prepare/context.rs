//! What a manifest is checked against.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use trellis_artifacts::ProgramCache;
use trellis_claims::{Clock, TrustList};
use trellis_engine::Checker;
use trellis_providers_sdk::ProviderFactory;
use trellis_targets::module::ModuleProviders;
use trellis_targets::process::Processes;

use super::kept::Kept;
use super::known::{Archives, LastRuns, Modules};
use super::located::Images;
use super::meaning::Meaning;

/// What a manifest is checked against.
pub struct PrepareContext<'a> {
    /// The folder relative paths start from: the manifest's.
    pub folder: &'a Path,
    /// The providers this host has.
    pub builtins: &'a [Arc<dyn ProviderFactory>],
    /// Who finds out what programs are; `None` where none may be started.
    pub processes: Option<Processes>,
    /// Who finds out what modules are that serve others; `None` where none is asked.
    pub module_providers: Option<ModuleProviders>,
    /// The modules that were read and verified before.
    pub modules: Modules,
    /// The archives that were.
    pub archives: Archives,
    /// Where their programs are unpacked; `None` where there is no place for them.
    pub programs: Option<ProgramCache>,
    /// How images are fetched.
    pub images: Images,
    /// Who may sign modules.
    pub trust: &'a TrustList,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What checks the code of modules, unless it is known to be right under their limits; none for
    /// a start, which does it anyway.
    pub checker: Option<Arc<Checker>>,
    /// True for a check that nothing follows: it looks at the machine as well.
    pub survey: bool,
    /// What is known of actors from when they last ran.
    pub last_runs: LastRuns,
    /// True when an actor may have another key than it had.
    pub force: bool,
    /// Where the host itself listens.
    pub host_addresses: Vec<SocketAddr>,
    /// What may be missing from the manifest, because its text has mistakes.
    pub lacks: Lacks,
    /// What is taken as it was prepared before.
    pub kept: Kept,
    /// What the edits mean that are laid over it.
    pub meaning: Meaning,
}

/// What may be missing from a manifest whose text has mistakes: that something else names it is no
/// mistake.
#[derive(Clone, Copy, Default, Debug)]
pub struct Lacks {
    /// An actor may be.
    pub actors: bool,
    /// A provider may be.
    pub providers: bool,
}

impl<'a> PrepareContext<'a> {
    /// A context in which nothing is known from before.
    pub fn new(
        folder: &'a Path,
        builtins: &'a [Arc<dyn ProviderFactory>],
        trust: &'a TrustList,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (modules, archives, last_runs) = (Modules::new(), Archives::new(), LastRuns::new());
        let (processes, programs, checker, survey) = (None, None, None, false);
        let (force, host_addresses) = (false, Vec::new());
        Self {
            folder,
            builtins,
            processes,
            module_providers: None,
            modules,
            archives,
            programs,
            images: Images::default(),
            trust,
            clock,
            checker,
            survey,
            last_runs,
            force,
            host_addresses,
            lacks: Lacks::default(),
            kept: Kept::default(),
            meaning: Meaning::default(),
        }
    }
}
