//! The life of a host that runs: signals, changed files, and what becomes of them.
//!
//! Nothing here waits for a disk, a module or a client: reading and applying go on beside the loop
//! that answers signals, and a newer request supersedes an older one that is still being read, once
//! whom that trusts was enforced.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, timeout};
use trellis_control::{Address, Applied, Phase};
use trellis_core::Code;
use trellis_entitlements::Rules;
use trellis_manifest::HostSpec;
use trellis_supervisor::{ApplyOptions, LastRuns, Status, Supervisor};

use crate::announcer::Announcer;
use crate::args::HostArgs;
use crate::failure::Failure;
use crate::host::Host;
use crate::loading::{LOADING_TIME_MAX, Loading, Progress};
use crate::manifest::{For, Loaded, Loader, Meant};
use crate::output::lines;
use crate::readiness::{Lasting, Readiness};
use crate::running::take_running;
use crate::settings::StartSettings;
use crate::signals::{Request, Signals};
use crate::watch::FileWatch;

/// How often to check whether something takes too long.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a host that stops waits for the disk that keeps what ran.
const KEEPING_TIME_MAX: Duration = Duration::from_secs(1);

/// Reads the manifest until its text is right; `None` when the host was told to stop before.
///
/// # Errors
/// What is wrong with the text, unless the user wants to `wait`.
pub(crate) async fn first_text(
    loader: &Arc<Loader>,
    watch: &FileWatch,
    signals: &mut Signals,
    wait: bool,
) -> Result<Option<Meant>, Failure> {
    loop {
        let read = async {
            watch.follow_manifest(loader.path().to_owned()).await;
            loader.understood(loader.read().await?).await
        };
        let failure = tokio::select! {
            read = read => match read {
                Ok(text) => return Ok(Some(text)),
                Err(failure) => failure,
            },
            request = signals.next() => match request {
                Request::Stop => return Ok(None),
                Request::Reload => continue,
            },
        };
        if !wait {
            return Err(failure);
        }
        tracing::error!("waiting for a change, since the manifest cannot be started\n{failure}");
        tokio::select! {
            () = watch.changed() => {}
            request = signals.next() => if request == Request::Stop { return Ok(None) },
        }
    }
}

/// A host that runs.
pub(crate) struct Life {
    loader: Arc<Loader>,
    watch: Arc<FileWatch>,
    host: Host,
    readiness: Readiness,
    announcer: Announcer,
    args: HostArgs,
    /// True once a manifest was applied, even if parts of it could not be started.
    started: bool,
    /// How long calls may take to finish when the host stops.
    drain: Duration,
    /// The addresses that were printed.
    printed: Vec<Address>,
    /// The status that was looked at last.
    seen: Arc<Status>,
    /// What is to be known of the actors that were applied, each until it runs.
    runs: LastRuns,
    /// How many manifests were loaded, right or wrong.
    loads: u64,
    /// The changed settings that need a restart, as last warned of.
    unset: Vec<&'static str>,
}

/// A manifest that was applied, even if parts of it could not be started.
struct Tried {
    load: u64,
    applied: Applied,
    runs: LastRuns,
    /// What its owner may not have meant.
    lasting: Vec<Lasting>,
}

impl Life {
    /// A host on which nothing runs yet; `args` is what the user says of everything applied.
    pub(crate) fn new(
        (loader, watch): (Arc<Loader>, Arc<FileWatch>),
        (host, readiness): (Host, Readiness),
        announcer: Announcer,
        args: HostArgs,
    ) -> Self {
        let seen = host.supervisor().status();
        let (printed, runs, unset) = (Vec::new(), LastRuns::new(), Vec::new());
        let (started, loads, drain) = (false, 0, Duration::ZERO);
        Self {
            loader,
            watch,
            host,
            readiness,
            announcer,
            args,
            started,
            drain,
            printed,
            seen,
            runs,
            loads,
            unset,
        }
    }

    /// Runs what the text wants until the host is told to stop, then drains. `built` are the
    /// settings the host was built with.
    ///
    /// # Errors
    /// Why it could not start, unless the user wants to wait.
    pub(crate) async fn run(
        mut self,
        text: Meant,
        built: StartSettings,
        signals: &mut Signals,
    ) -> Result<(), Failure> {
        self.drain = text.manifest.host.drain;
        let mut loading = Some(self.start(text));
        let mut applying = JoinSet::new();
        let supervisor = self.host.supervisor().clone();
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                request = signals.next() => match request {
                    Request::Stop => break,
                    Request::Reload => loading = Some(self.reload(loading)),
                },
                Some(tried) = applying.join_next() => {
                    // An error is a panic, which was logged where it happened.
                    if let Ok(tried) = tried {
                        self.tried(tried)?;
                    }
                }
                loaded = Loading::end(&mut loading) => {
                    self.readiness.loads_in_time();
                    self.readiness.trusts(self.loader.lasting_trust());
                    match loaded {
                        Ok(loaded) => self.apply(loaded, &built, &mut applying),
                        Err(failure) if self.started || self.args.wait => self.refused(&failure),
                        Err(failure) => return Err(failure),
                    }
                }
                () = self.watch.changed() => loading = Some(self.reload(loading)),
                () = supervisor.changed(), if self.started => self.look(),
                _ = look.tick() => self.tell_of_slow(loading.as_mut()),
            }
        }
        drop(loading);
        self.stop(signals).await;
        Ok(())
    }

    /// Everything the first text names.
    fn start(&self, text: Meant) -> Loading {
        let (loader, watch) = (Arc::clone(&self.loader), Arc::clone(&self.watch));
        let supervisor = self.host.supervisor().clone();
        supervisor.expects(&text.manifest);
        Loading::begin(None, Progress::from_rest(), async move {
            supervisor.enforce(loader.trusted()).await;
            let loaded = prepare(&loader, &watch, text, For::Starting).await?;
            supervisor.enforce(loader.trusted()).await;
            Ok(loaded)
        })
    }

    /// Reads everything again: first whom the manifest trusts, which acts at once, then the rest.
    /// What is asked for while the first of these is under way has it done once more.
    fn reload(&self, unfinished: Option<Loading>) -> Loading {
        let unfinished = match unfinished {
            Some(unfinished) if unfinished.asks_again() => return unfinished,
            unfinished => unfinished,
        };
        let (loader, watch) = (Arc::clone(&self.loader), Arc::clone(&self.watch));
        let supervisor = self.host.supervisor().clone();
        let progress = Progress::from_trust();
        let shown = progress.clone();
        let starts = !self.started;
        Loading::begin(unfinished, progress, async move {
            let text = shown.trust(|| trust(&loader, &supervisor)).await?;
            if starts {
                supervisor.expects(&text.manifest);
            }
            let loaded = prepare(&loader, &watch, text, For::Changing).await?;
            // Only now is anybody trusted again.
            supervisor.enforce(loader.trusted()).await;
            Ok(loaded)
        })
    }

    /// A manifest that is wrong changes nothing, except that an actor it no longer trusts was
    /// stopped. What it waits for is noticed when it comes.
    fn refused(&mut self, failure: &Failure) {
        self.loads += 1;
        self.host.count_refused(failure);
        let why = self.readiness.refuse(failure);
        if self.started {
            tracing::error!(
                "the manifest was not applied; what ran and is still trusted goes on\n{failure}"
            );
        } else {
            self.host.supervisor().cannot_have(&why);
            self.readiness.enter(Phase::Waiting);
            tracing::error!(
                "waiting for a change, since the manifest cannot be started\n{failure}"
            );
        }
    }

    fn apply(&mut self, loaded: Loaded, built: &StartSettings, applying: &mut JoinSet<Tried>) {
        lines(&loaded.warnings).for_each(|warning| tracing::warn!("{warning}"));
        lines(&loaded.notes).for_each(|note| tracing::info!("{note}"));
        let host = &loaded.manifest.host;
        if host.open_calls {
            tracing::warn!("every actor may call every other one, because of `calls: open`");
        }
        self.drain = host.drain;
        self.host.identity().runs(self.loader.path(), &loaded.manifest);
        self.note_settings(built, &StartSettings::of(&self.args, host));
        // From now on, what runs may differ from the previous manifest.
        self.runs.clear();
        self.loads += 1;
        let load = self.loads;
        let runs = loaded.prepared.runs().clone();
        let options = ApplyOptions { rules: rules(host), force: self.args.force };
        let supervisor = self.host.supervisor().clone();
        applying.spawn(async move {
            let applied = supervisor.apply(loaded.prepared, options).await;
            Tried { load, applied, runs, lasting: loaded.lasting }
        });
    }

    /// Notes the result of an apply. The supervisor itself logs what was done and what was not.
    ///
    /// # Errors
    /// The first thing that could not be started, while the host starts and its user does not want
    /// to wait.
    fn tried(&mut self, tried: Tried) -> Result<(), Failure> {
        let Tried { load, applied, runs, lasting } = tried;
        // A newer manifest is being applied: its result decides whether the host has started.
        if applied.superseded {
            return Ok(());
        }
        if !self.started && !self.args.wait {
            first_fault(&applied)?;
        }
        self.started = true;
        self.loader.names(&runs);
        self.runs = runs;
        self.host.metrics().applied();
        // The manifest as it is now may have been refused while this one was applied.
        if load == self.loads {
            self.readiness.accept();
        }
        self.readiness.lasts(lasting.into_iter().chain(self.needs_restart()).collect());
        self.readiness.enter(Phase::Ready);
        self.look();
        // Last: whoever reads the line may ask at once.
        if applied.steps.is_empty() && applied.faults.is_empty() {
            tracing::info!("unchanged");
        }
        Ok(())
    }

    /// Looks at what runs: prints addresses that are new, and remembers the actors that run as they
    /// do, whatever else is missing.
    fn look(&mut self) {
        let status = self.host.supervisor().status();
        let state = &status.state;
        if !self.host.supervisor().is_changing() && !self.runs.is_empty() {
            let stores = self.host.supervisor().stores();
            let running = take_running(&mut self.runs, state, &stores);
            if !running.is_empty() {
                self.loader.remember(running);
            }
        }
        if Arc::ptr_eq(&self.seen, &status) && !self.printed.is_empty() {
            return;
        }
        let printed: HashSet<_> = self.printed.iter().collect();
        let new = state.addresses.iter().filter(|address| !printed.contains(address));
        new.clone().for_each(|address| self.announcer.listening(address));
        let open: BTreeSet<_> =
            new.map(|it| it.socket).filter(|at| at.ip().is_unspecified()).collect();
        for at in open {
            tracing::info!("{at} takes requests from every network of this machine");
        }
        self.printed.clone_from(&state.addresses);
        self.seen = status;
    }

    /// Warns of changed settings that only take effect at a restart.
    fn note_settings(&mut self, built: &StartSettings, wanted: &StartSettings) {
        let unset = built.differences(wanted);
        let told = unset == self.unset;
        self.unset = unset;
        if let Some(lasting) = self.needs_restart().filter(|_| !told) {
            tracing::warn!("{lasting}");
        }
    }

    /// The settings that are not in force until the host starts again.
    fn needs_restart(&self) -> Option<Lasting> {
        let keys = self.unset.join(", ");
        let why = || format!("a change of {keys} needs a restart");
        (!self.unset.is_empty()).then(|| Lasting::new("`host`", Code::Manifest, why()))
    }

    /// A disk that does not answer is not waited for in silence.
    fn tell_of_slow(&self, loading: Option<&mut Loading>) {
        let Some(taken) = loading.and_then(Loading::becomes_slow) else { return };
        let what = self.loader.slow(LOADING_TIME_MAX);
        tracing::warn!("{what}; what runs goes on");
        self.readiness.loads_slowly(what, taken);
    }

    /// Drains, unless a second signal says that nobody wants to wait.
    async fn stop(self, signals: &mut Signals) {
        self.readiness.enter(Phase::Stopping);
        tracing::info!("stopping; a second signal stops at once");
        let stop = async {
            self.host.stop(Instant::now() + self.drain).await;
            if timeout(KEEPING_TIME_MAX, self.loader.remembered()).await.is_err() {
                tracing::warn!("what ran is not kept for the next start: the disk does not answer");
            }
        };
        tokio::select! {
            () = stop => tracing::info!("stopped"),
            () = again(signals) => tracing::warn!("stopped at once; calls were cut"),
        }
    }
}

/// Reads the text and enforces whom it trusts.
async fn trust(loader: &Arc<Loader>, supervisor: &Supervisor) -> Result<Meant, Failure> {
    if let Some(trust) = loader.revocations().await {
        supervisor.enforce(trust).await;
    }
    let written = loader.read().await?;
    supervisor.enforce(written.trust).await;
    written.manifest
}

/// Checks what the text names, and follows the files of that.
async fn prepare(
    loader: &Loader,
    watch: &FileWatch,
    text: Meant,
    purpose: For,
) -> Result<Loaded, Failure> {
    watch.follow_modules(loader.files(&text.manifest)).await;
    loader.prepare(text, purpose).await
}

/// What the owner of a host decided for all actors.
pub(crate) const fn rules(host: &HostSpec) -> Rules {
    Rules { open_calls: host.open_calls }
}

fn first_fault(applied: &Applied) -> Result<(), Failure> {
    match applied.faults.first() {
        Some(fault) => Err(Failure::call(fault.what.clone(), fault.error())),
        None => Ok(()),
    }
}

async fn again(signals: &mut Signals) {
    while signals.next().await != Request::Stop {}
}
