//! The life of a host that runs: signals, changed files, and what becomes of them.
//!
//! Nothing here waits for a disk, a module or a client: reading and applying go on beside the loop
//! that answers signals, and a newer request supersedes an older one that is still being read.

use std::collections::HashSet;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, timeout};
use trellis_control::{Address, Applied, Name, Status as State};
use trellis_entitlements::Rules;
use trellis_manifest::{HostSpec, Manifest};
use trellis_supervisor::{ActorKeys, ApplyOptions, Status};

use crate::announcer::Announcer;
use crate::failure::Failure;
use crate::host::Host;
use crate::manifest::{For, Loaded, Loader, Meant};
use crate::output::lines;
use crate::readiness::{Phase, Readiness};
use crate::signals::{Request, Signals};
use crate::watch::FileWatch;

/// How often it is looked whether something came to run later than it was wanted.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a host that stops waits for the disk that keeps the keys of its actors.
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
            watch.follow(loader.files(None)).await;
            loader.read().await?.manifest
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
    force: bool,
    /// The addresses that were printed.
    printed: Vec<Address>,
    /// The status that was looked at last.
    seen: Arc<Status>,
    /// The keys of the actors that were applied, each until it runs.
    keys: ActorKeys,
    /// How many manifests were loaded, right or wrong.
    loads: u64,
    /// What the host was built with, and what a later manifest may say.
    settings: HostSpec,
}

/// A manifest being loaded.
type Loading = Pin<Box<dyn Future<Output = Result<Loaded, Failure>> + Send>>;

impl Life {
    /// A host on which nothing runs yet; `force` is what the user says of everything applied.
    pub(crate) fn new(
        (loader, watch): (Arc<Loader>, Arc<FileWatch>),
        host: Host,
        readiness: Readiness,
        announcer: Announcer,
        force: bool,
    ) -> Self {
        let seen = host.supervisor().status();
        let (printed, keys, loads) = (Vec::new(), ActorKeys::new(), 0);
        let settings = HostSpec::default();
        Self {
            loader,
            watch,
            host,
            readiness,
            announcer,
            force,
            printed,
            seen,
            keys,
            loads,
            settings,
        }
    }

    /// Runs what the text wants until the host is told to stop, then drains.
    ///
    /// # Errors
    /// Why it could not start, unless the user wants to `wait`.
    pub(crate) async fn run(
        mut self,
        text: Meant,
        wait: bool,
        signals: &mut Signals,
    ) -> Result<(), Failure> {
        self.settings = text.manifest.host.clone();
        let mut loading = Some(self.start(text));
        let mut applying = JoinSet::new();
        let mut started = false;
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                request = signals.next() => match request {
                    Request::Stop => break,
                    Request::Reload => loading = Some(self.reload()),
                },
                Some(applied) = applying.join_next() => {
                    // An error is a panic, which was logged where it happened.
                    let Ok((load, applied, keys)) = applied else { continue };
                    if !started && !wait {
                        first_fault(&applied)?;
                    }
                    started = true;
                    self.applied(load, &applied, keys);
                }
                loaded = next(&mut loading) => match loaded {
                    Ok(loaded) => self.apply(loaded, &mut applying),
                    Err(failure) if started || wait => self.refused(&failure, started),
                    Err(failure) => return Err(failure),
                },
                () = self.watch.changed() => loading = Some(self.reload()),
                _ = look.tick(), if started => self.look(),
            }
        }
        drop(loading);
        self.stop(signals).await;
        Ok(())
    }

    /// Everything the first text names.
    fn start(&self, text: Meant) -> Loading {
        let (loader, watch) = (Arc::clone(&self.loader), Arc::clone(&self.watch));
        Box::pin(async move {
            watch.follow(loader.files(Some(&text.manifest))).await;
            loader.prepare(text, For::Running).await
        })
    }

    /// Reads everything again: first whom the manifest trusts, which acts at once, then the rest.
    fn reload(&self) -> Loading {
        let (loader, watch) = (Arc::clone(&self.loader), Arc::clone(&self.watch));
        let supervisor = self.host.supervisor().clone();
        Box::pin(async move {
            if let Some(trust) = loader.revocations().await {
                supervisor.enforce(trust).await;
            }
            let written = loader.read().await?;
            supervisor.enforce(written.trust).await;
            let text = written.manifest?;
            watch.follow(loader.files(Some(&text.manifest))).await;
            loader.prepare(text, For::Running).await
        })
    }

    /// A manifest that is wrong changes nothing, except that an actor it no longer trusts was
    /// stopped. What it waits for is noticed when it comes.
    fn refused(&mut self, failure: &Failure, started: bool) {
        self.loads += 1;
        self.host.metrics().refused(failure);
        self.readiness.refuse(failure);
        if started {
            tracing::error!("the manifest was not applied; what ran goes on\n{failure}");
        } else {
            self.readiness.enter(Phase::Waiting);
            tracing::error!(
                "waiting for a change, since the manifest cannot be started\n{failure}"
            );
        }
    }

    fn apply(&mut self, loaded: Loaded, applying: &mut JoinSet<(u64, Applied, ActorKeys)>) {
        lines(&loaded.warnings).for_each(|warning| tracing::warn!("{warning}"));
        self.note_settings(&loaded.manifest);
        // What runs from now on may have other keys than the manifest before said.
        self.keys.clear();
        self.loads += 1;
        let load = self.loads;
        let keys = loaded.prepared.keys().clone();
        let rules = Rules { open_calls: loaded.manifest.host.open_calls };
        let options = ApplyOptions { rules, force: self.force };
        let supervisor = self.host.supervisor().clone();
        applying
            .spawn(async move { (load, supervisor.apply(loaded.prepared, options).await, keys) });
    }

    /// What was done, and what was not, the supervisor logs itself.
    fn applied(&mut self, load: u64, applied: &Applied, keys: ActorKeys) {
        if applied.superseded {
            return;
        }
        self.keys = keys;
        self.host.metrics().applied();
        // The manifest as it is now may have been refused while this one was applied.
        if load == self.loads {
            self.readiness.accept();
        }
        self.readiness.enter(Phase::Ready);
        self.look();
        // Last: whoever reads the line may ask at once.
        if applied.steps.is_empty() && applied.faults.is_empty() {
            tracing::info!("unchanged");
        }
    }

    /// Looks at what runs: prints addresses that are new, and remembers the keys of actors that run
    /// under them, whatever else is missing.
    fn look(&mut self) {
        let status = self.host.supervisor().status();
        let state = &status.state;
        if !self.host.supervisor().is_changing() {
            let running = take_running(&mut self.keys, state);
            if !running.is_empty() {
                self.loader.remember(running);
            }
        }
        if Arc::ptr_eq(&self.seen, &status) && !self.printed.is_empty() {
            return;
        }
        let printed: HashSet<_> = self.printed.iter().collect();
        for address in state.addresses.iter().filter(|address| !printed.contains(address)) {
            self.announcer.listening(&address.url, address.actor.as_str());
        }
        self.printed.clone_from(&state.addresses);
        self.seen = status;
    }

    /// What only a start can change is not changed in silence.
    fn note_settings(&mut self, manifest: &Manifest) {
        let wanted = &manifest.host;
        let fixed = |spec: &HostSpec| (spec.admin, spec.cache.clone(), spec.limits);
        if fixed(wanted) != fixed(&self.settings) {
            tracing::warn!("`host`: other values of admin, cache and limits need a new start");
        }
        self.settings = wanted.clone();
    }

    /// Drains, unless a second signal says that nobody wants to wait.
    async fn stop(self, signals: &mut Signals) {
        self.readiness.enter(Phase::Stopping);
        tracing::info!("stopping; a second signal stops at once");
        let drain: Duration = self.settings.drain;
        let stop = async {
            self.host.stop(Instant::now() + drain).await;
            if timeout(KEEPING_TIME_MAX, self.loader.remembered()).await.is_err() {
                tracing::warn!("the keys of the actors are not kept: the disk does not answer");
            }
        };
        tokio::select! {
            () = stop => tracing::info!("stopped"),
            () = again(signals) => tracing::warn!("stopped at once; calls were cut"),
        }
    }
}

/// The end of what is being loaded, which takes it; never when nothing is.
async fn next(loading: &mut Option<Loading>) -> Result<Loaded, Failure> {
    poll_fn(|context| {
        let Some(future) = loading else { return Poll::Pending };
        let loaded = future.as_mut().poll(context);
        if loaded.is_ready() {
            *loading = None;
        }
        loaded
    })
    .await
}

/// Takes the keys of the actors that run as the manifest wants: one that could not be replaced runs
/// under its old key.
fn take_running(keys: &mut ActorKeys, state: &State) -> ActorKeys {
    let running: HashSet<_> = state.actors.iter().map(Name::as_str).collect();
    let failing: HashSet<_> = state.degraded.iter().map(|degraded| &*degraded.what).collect();
    let runs = |name: &String| {
        running.contains(name.as_str()) && !failing.contains(&*format!("actor {name}"))
    };
    let taken = std::mem::take(keys);
    let (running, missing) = taken.into_iter().partition(|(name, _)| runs(name));
    *keys = missing;
    running
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

#[cfg(test)]
mod tests {
    use trellis_control::Degraded;
    use trellis_core::Code;

    use super::*;

    #[test]
    fn a_key_is_remembered_once_its_actor_runs_under_it_whatever_else_fails() {
        let key = |name: &str| (name.to_owned(), format!("M{name}"));
        let mut keys = ActorKeys::from([key("good"), key("never"), key("stale")]);
        let fails = |what: &str| Degraded {
            what: what.to_owned(),
            code: Code::Address,
            why: "it is taken".to_owned(),
            since_unix_s: 0,
            retry_unix_s: Some(1),
        };
        let state = State {
            actors: vec!["good".to_owned().into(), "stale".to_owned().into()],
            degraded: vec![fails("actor stale"), fails("binding of other to wascc:http_server")],
            ..State::default()
        };
        assert_eq!(take_running(&mut keys, &state), ActorKeys::from([key("good")]));
        assert_eq!(keys, ActorKeys::from([key("never"), key("stale")]), "these may run later");
    }
}
