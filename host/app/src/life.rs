//! The life of a host that runs: signals, changed files, and what becomes of them.
//!
//! Nothing here waits for a disk, a module or a client: reading and applying go on beside the loop
//! that answers signals, and a newer request supersedes an older one that is still being read, once
//! whom that trusts was enforced.

mod editing;
mod ending;
mod errand;
mod first;
mod foreseeing;
mod going_back;
mod looking;
mod making;
mod owning;
mod reading;
mod told;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use trellis_claims::{Clock, SystemClock};
use trellis_control::{Address, Applied, ChangedBy, Phase};
use trellis_supervisor::{ApplyOptions, LastRuns, Parts, Status};

use crate::announcer::Announcer;
use crate::args::HostArgs;
use crate::edits::{Base, Change, Edits, Judged, Orders, Overlay};
use crate::failure::Failure;
use crate::host::Host;
use crate::loading::{LOADING_TIME_MAX, Loading, Progress};
use crate::manifest::{For, Loaded, Loader, Meant};
use crate::output::lines;
use crate::readiness::{Lasting, Readiness};
use crate::settings::StartSettings;
use crate::signals::{Request, Signals};
use crate::watch::FileWatch;
use errand::{Answering, Errand, GoingBack, Waiting};
pub(crate) use first::first_text;
pub(crate) use reading::rules;
use reading::{prepare, trust};

/// How often to check whether something takes too long.
const LOOK_EVERY: Duration = Duration::from_secs(1);

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
    /// What is in force other than the manifest says.
    edits: Edits,
    /// The manifest that is applied, without that.
    base: Option<Base>,
    /// What is wanted by that and by the edits, as it was prepared.
    parts: Option<Arc<Parts>>,
    /// Something else is wanted than when what is being loaded was begun.
    turned: bool,
    /// The manifest as it is now was not applied.
    refused: bool,
    /// What is being loaded, when something is, and what waits for that.
    errand: Errand,
    waiting: Waiting,
}

/// What goes on beside the loop.
#[derive(Default)]
struct Beside {
    applying: JoinSet<Tried>,
    /// Edits that are watched, by their revisions.
    watching: JoinSet<(u64, Judged)>,
}

/// A manifest that was applied, even if parts of it could not be started.
struct Tried {
    /// The number of the load, of a manifest that was read.
    load: Option<u64>,
    /// The revision of what was wanted.
    revision: u64,
    /// Who waits for it.
    answering: Option<Answering>,
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
        let edits = readiness.edits().clone();
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
            edits,
            base: None,
            parts: None,
            turned: false,
            refused: false,
            errand: Errand::Manifest,
            waiting: Waiting::default(),
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
        (signals, orders): (&mut Signals, &mut Orders),
    ) -> Result<(), Failure> {
        self.drain = text.manifest.host.drain;
        let mut loading = Some(self.start(text));
        let mut beside = Beside::default();
        let mut going = GoingBack::default();
        let Orders { edits, rollbacks } = orders;
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
                // An error is a panic, which was logged where it happened.
                Some(tried) = beside.applying.join_next() => if let Ok(tried) = tried {
                    self.tried(tried, &mut beside)?;
                },
                Some(judged) = beside.watching.join_next() => if let Ok(judged) = judged {
                    self.judged(judged);
                },
                loaded = Loading::end(&mut going.loading) => {
                    let errand = std::mem::take(&mut going.errand);
                    self.back_is_loaded(errand, loaded, &mut beside);
                }
                order = rollbacks.next(), if self.may_go_back(&going) => {
                    self.waiting.back.push_back(Errand::Order(Box::new(order)));
                }
                loaded = Loading::end(&mut loading) => {
                    self.readiness.loads_in_time();
                    self.readiness.trusts(self.loader.lasting_trust());
                    match (std::mem::take(&mut self.errand), loaded) {
                        (Errand::Manifest, Ok(loaded)) => self.apply(loaded, &built, &mut beside),
                        (Errand::Manifest, Err(failure)) => {
                            if !self.started && !self.args.wait {
                                return Err(failure);
                            }
                            self.refused(&failure);
                        }
                        (Errand::Order(order), loaded) => {
                            self.order_is_loaded(order, loaded, &mut beside);
                        }
                        // That is loaded beside.
                        (Errand::TakeBack(_), _) => {}
                    }
                }
                order = edits.next(), if loading.is_none() => {
                    loading = self.take_up(Box::new(order));
                }
                () = self.watch.changed() => loading = Some(self.reload(loading)),
                () = supervisor.changed(), if self.started => self.look(),
                _ = look.tick() => self.tell_of_slow(loading.as_mut()),
            }
            let turned = std::mem::take(&mut self.turned);
            self.go_back(&mut going, turned);
            loading = self.go_on(loading, turned);
        }
        drop((loading, going));
        self.stop(signals).await;
        Ok(())
    }

    /// Everything the first text names.
    fn start(&self, text: Meant) -> Loading {
        let none = Overlay::default();
        let (loader, watch) = (Arc::clone(&self.loader), Arc::clone(&self.watch));
        let supervisor = self.host.supervisor().clone();
        supervisor.expects(&text.manifest);
        Loading::begin(None, Progress::from_rest(), async move {
            supervisor.enforce(loader.trusted()).await;
            let loaded =
                prepare((&loader, &supervisor), &watch, (text, For::Starting), none).await?;
            supervisor.enforce(loader.trusted()).await;
            Ok(loaded)
        })
    }

    /// Reads everything again: first whom the manifest trusts, which acts at once, then the rest.
    /// What is asked for while the first of these is under way has it done once more.
    fn reload(&mut self, unfinished: Option<Loading>) -> Loading {
        self.give_way(unfinished.is_some());
        let unfinished = match unfinished {
            Some(unfinished) if unfinished.asks_again() => return unfinished,
            unfinished => unfinished,
        };
        let (loader, watch) = (Arc::clone(&self.loader), Arc::clone(&self.watch));
        let supervisor = self.host.supervisor().clone();
        let identity = Arc::clone(self.host.identity());
        let edits = self.edits.clone();
        let progress = Progress::from_trust();
        let shown = progress.clone();
        let starts = !self.started;
        Loading::begin(unfinished, progress, async move {
            let text = shown.trust(|| trust(&loader, &supervisor, &identity)).await?;
            if starts {
                supervisor.expects(&text.manifest);
            }
            let edits = edits.look(|book| book.overlay().clone());
            let loaded =
                prepare((&loader, &supervisor), &watch, (text, For::Changing), edits).await?;
            // Only now is anybody trusted again.
            supervisor.enforce(loader.trusted()).await;
            Ok(loaded)
        })
    }

    /// A manifest that is wrong changes nothing, except that an actor it no longer trusts was
    /// stopped. What it waits for is noticed when it comes.
    fn refused(&mut self, failure: &Failure) {
        self.loads += 1;
        self.refused = true;
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

    fn apply(&mut self, mut loaded: Loaded, built: &StartSettings, beside: &mut Beside) {
        lines(&loaded.warnings).for_each(|warning| tracing::warn!("{warning}"));
        lines(&loaded.notes).for_each(|note| tracing::info!("{note}"));
        let host = &loaded.base.manifest.host;
        if host.open_calls {
            tracing::warn!("every actor may call every other one, because of `calls: open`");
        }
        self.drain = host.drain;
        let trusted = self.loader.trusted();
        self.host.identity().runs(self.loader.path(), &loaded.base.manifest, &trusted);
        self.note_settings(built, &StartSettings::of(&self.args, host));
        let at_unix_s = SystemClock.now_unix_s();
        let by = ChangedBy::Manifest;
        let change = Change { by, who: None, steps: &loaded.changes, at_unix_s };
        let ended = std::mem::take(&mut loaded.ended);
        self.edits.look(|book| book.by_manifest(change, ended));
        self.base = Some(loaded.base.clone());
        self.refused = false;
        self.loads += 1;
        self.carry_out(loaded, (Some(self.loads), None), beside);
    }

    /// Makes what was loaded run: a manifest that was read, or one with other edits.
    fn carry_out(
        &mut self,
        loaded: Loaded,
        (load, answering): (Option<u64>, Option<Answering>),
        beside: &mut Beside,
    ) {
        // From now on, what runs may differ from the previous manifest.
        self.runs.clear();
        let Loaded { mut prepared, parts, lasting, base, .. } = loaded;
        (self.parts, self.turned) = (Some(parts), true);
        let options = ApplyOptions { rules: rules(&base.manifest.host), force: self.args.force };
        let revision = self.edits.look(|book| {
            book.demands(&mut prepared);
            book.revision()
        });
        let (supervisor, runs) = (self.host.supervisor().clone(), prepared.runs().clone());
        beside.applying.spawn(async move {
            let applied = supervisor.apply(prepared, options).await;
            Tried { load, revision, answering, applied, runs, lasting }
        });
    }

    /// Notes the result of an apply. The supervisor itself logs what was done and what was not.
    ///
    /// # Errors
    /// The first thing that could not be started, while the host starts and its user does not want
    /// to wait.
    fn tried(&mut self, tried: Tried, beside: &mut Beside) -> Result<(), Failure> {
        let Tried { load, revision, answering, applied, runs, lasting } = tried;
        // A newer manifest is being applied: its result decides whether the host has started.
        if applied.superseded {
            answering.into_iter().for_each(|it| it.answer(applied.clone(), false));
            return Ok(());
        }
        if !self.started && !self.args.wait {
            first_fault(&applied)?;
        }
        self.started = true;
        self.loader.names(&runs);
        self.runs = runs;
        if load.is_some() {
            self.host.metrics().applied();
        }
        // The manifest as it is now may have been refused while this one was applied.
        if load == Some(self.loads) {
            self.readiness.accept();
        }
        self.readiness.lasts(lasting.into_iter().chain(self.needs_restart()).collect());
        self.readiness.enter(Phase::Ready);
        self.look();
        self.settle((revision, answering), &applied, beside);
        // What is not watched is remembered as it is.
        self.look();
        // Last: whoever reads the line may ask at once.
        if applied.steps.is_empty() && applied.faults.is_empty() && load.is_some() {
            tracing::info!("unchanged");
        }
        Ok(())
    }

    /// A disk that does not answer is not waited for in silence.
    fn tell_of_slow(&self, loading: Option<&mut Loading>) {
        let Some(taken) = loading.and_then(Loading::becomes_slow) else { return };
        let what = self.loader.slow(LOADING_TIME_MAX);
        tracing::warn!("{what}; what runs goes on");
        self.readiness.loads_slowly(what, taken);
    }
}

fn first_fault(applied: &Applied) -> Result<(), Failure> {
    match applied.faults.first() {
        Some(fault) => Err(Failure::call(fault.what.clone(), fault.error())),
        None => Ok(()),
    }
}
