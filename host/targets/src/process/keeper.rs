//! Keeps a provider's process running: what ends, or no longer answers, is started again and told
//! of its bindings.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::timeout;
use trellis_artifacts::KeptProgram;
use trellis_core::{CallError, Code};
use trellis_meters::{Restart, Restarts};
use trellis_providers_sdk::{Binding, BindingId, Context, Counter, Descriptor, Values};

use super::command::{ProcessCommand, Stamp};
use super::launcher::Launcher;
use super::log::ProcessLog;
use super::session::Session;
use super::started::{Process, Started, told};

/// Longest time a process that owes an answer may take to say how it is while nothing moves between
/// it and the host.
const PULSE_TIME_MAX: Duration = Duration::from_secs(1);
/// The same while something does: its answer may stand behind large messages.
const BUSY_PULSE_TIME_MAX: Duration = Duration::from_secs(10);
/// Longest wait for a process to be made ready, or to take its bindings.
const READY_TIME_MAX: Duration = Duration::from_secs(8);
/// How long a process whose connection ended may take to end by itself.
const END_TIME_MAX: Duration = Duration::from_millis(20);

/// What is the same for all processes that follow one another.
pub(super) struct Life {
    pub(super) provider: String,
    pub(super) launcher: Launcher,
    /// Has the next one who reads a manifest find out again what the command is.
    pub(super) forget: Box<dyn Fn() + Send + Sync>,
    pub(super) command: ProcessCommand,
    /// What its files were like when it was checked.
    pub(super) stamp: Stamp,
    /// The program's place in a cache: the next process needs it as well.
    pub(super) _kept: Option<Arc<KeptProgram>>,
    pub(super) descriptor: Descriptor,
    pub(super) values: Values,
    pub(super) context: Context,
    pub(super) log: ProcessLog,
    /// What the process serves, or will when it runs.
    pub(super) bindings: Mutex<BTreeMap<BindingId, Binding>>,
    pub(super) restarts: Counter,
    /// The id of the process that was started last.
    pub(super) process_id: Mutex<Option<u32>>,
    /// The bindings that the process refused when it was started again, and why; until they go or
    /// are bound anew.
    pub(super) refused: Mutex<BTreeMap<BindingId, String>>,
}

/// Whether there is a process to talk to.
#[derive(Clone)]
pub(super) enum State {
    /// There is.
    Up(Session),
    /// It is being started again, which takes a moment; why.
    Starting(String),
    /// It ended too often: it is left alone for a while.
    Resting(Rest),
    /// It is not wanted any more.
    Ended,
}

/// A while in which there is no process, because it ended too often.
#[derive(Clone)]
pub(super) struct Rest {
    why: String,
    until: Instant,
    quarantined: bool,
}

impl Rest {
    /// What whoever calls it is told.
    pub(super) fn refusal(&self, provider: &str) -> CallError {
        let Self { why, until, quarantined } = self;
        let state = if *quarantined { "it is in quarantine" } else { "it backs off" };
        let left = until.saturating_duration_since(Instant::now());
        let seconds = left.as_secs_f32().ceil();
        let text = format!(
            "the process of provider {provider} ended again and again, so {state}; the next try \
             is in {seconds} s ({why})"
        );
        CallError::new(Code::CrashLoop, text).retry_after(left)
    }
}

impl State {
    /// What follows a failure.
    fn after(next: Restart, why: String) -> Self {
        let quarantined = matches!(next, Restart::Quarantine(_));
        match next {
            Restart::AtOnce => Self::Starting(why),
            Restart::BackOff(pause) | Restart::Quarantine(pause) => {
                Self::Resting(Rest { why, until: Instant::now() + pause, quarantined })
            }
        }
    }

    /// True when another state comes soon.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Up(session) => session.is_over(),
            Self::Starting(_) => true,
            Self::Resting(_) | Self::Ended => false,
        }
    }
}

/// A process that serves.
pub(super) struct Live {
    process: Process,
    pub(super) session: Session,
}

impl Life {
    /// Starts a process and has it make the provider.
    pub(super) async fn start(&self) -> Result<Live, CallError> {
        self.tell_of_change();
        let started = Started::new(&self.launcher, &self.command, &self.log).await?;
        if started.descriptor != self.descriptor {
            (self.forget)();
            let text = format!(
                "`{}` is another provider than it was when the manifest was read; have it read \
                 again: SIGHUP, or touch it",
                self.command
            );
            return Err(CallError::new(Code::Config, text));
        }
        let Started { process, frames, out, .. } = started;
        let context = (self.context.clone(), self.log.clone());
        let session = Session::new((frames, out), context, &self.provider);
        let made = timeout(READY_TIME_MAX, session.create(self.values.clone())).await;
        made.unwrap_or_else(|_| Err(self.slow("get ready")))?;
        *self.process_id.lock() = process.id();
        Ok(Live { process, session })
    }

    /// A program is started from where it is, since it may need what lies beside it. So it may be
    /// another one than was checked, and that is said.
    fn tell_of_change(&self) {
        if self.command.stamp() != self.stamp {
            tracing::warn!(
                provider = &*self.provider,
                "files of `{}` were written since it was checked, and what is started is what \
                 they are now; what is not to change is an archive (`trellis par create`)",
                self.command
            );
        }
    }

    /// Tells a new process of everything it is to serve.
    async fn rebind(&self, session: &Session) -> Result<(), CallError> {
        let wanted: Vec<_> = self.bindings.lock().values().cloned().collect();
        let told = wanted.iter().map(|binding| session.bind(binding.clone()));
        let told = timeout(READY_TIME_MAX, join_all(told)).await;
        let told = told.map_err(|_| self.slow("take its bindings"))?;
        let mut refused = BTreeMap::new();
        for (binding, told) in wanted.iter().zip(told) {
            match told {
                Ok(()) => {}
                // It went away: nothing was refused.
                Err(error) if session.is_over() => return Err(error),
                Err(error) => {
                    let (actor, contract, name) =
                        (&binding.actor_name, &binding.contract, &binding.name);
                    let why = error.message();
                    let text = format!("it refuses {actor} to {contract} as {name}: {why}");
                    refused.insert(binding.id, text);
                }
            }
        }
        // The others are served.
        *self.refused.lock() = refused;
        // What was taken away meanwhile was said to nobody.
        let gone = {
            let now = self.bindings.lock();
            let gone = wanted.into_iter().map(|it| it.id).filter(|id| !now.contains_key(id));
            gone.collect::<Vec<_>>()
        };
        for id in gone {
            session.unbind(id).await?;
        }
        Ok(())
    }

    /// What it refused when it was started again.
    pub(super) fn refused(&self) -> Option<String> {
        let refused = self.refused.lock();
        (!refused.is_empty()).then(|| refused.values().cloned().collect::<Vec<_>>().join("; "))
    }

    /// Says what became of it, unless it is not wanted any more.
    fn say(state: &watch::Sender<State>, now: State) {
        state.send_if_modified(|before| {
            let wanted = !matches!(before, State::Ended);
            if wanted {
                *before = now;
            }
            wanted
        });
    }

    /// The host is told first: whoever is refused finds there why.
    fn failed(&self, state: &watch::Sender<State>, next: Restart, why: &str) {
        if !matches!(*state.borrow(), State::Ended) {
            self.context.failed(next, &CallError::new(Code::Provider, why.to_owned()));
        }
        Self::say(state, State::after(next, why.to_owned()));
    }

    fn recovered(&self, state: &watch::Sender<State>, session: Session) {
        self.context.recovered();
        Self::say(state, State::Up(session));
        // It may have refused what it served before.
        self.context.health_changed();
    }

    /// True for an operation that may be asked for twice. A name that two contracts have must mean
    /// that in both.
    pub(super) fn is_idempotent(&self, operation: &str) -> bool {
        let all = self.descriptor.contracts.iter().flat_map(|contract| contract.operations.iter());
        let mut named = all.filter(|it| it.name == operation).peekable();
        named.peek().is_some() && { named }.all(|it| it.idempotent)
    }

    fn slow(&self, what: &str) -> CallError {
        let seconds = READY_TIME_MAX.as_secs();
        let text = format!("`{}` did not {what} within {seconds} s", self.command);
        CallError::new(Code::Provider, text)
    }
}

/// Watches over the process until nobody wants it any more; says so in `state`.
pub(super) async fn keep(life: Arc<Life>, mut live: Live, state: watch::Sender<State>) {
    let mut restarts = Restarts::new(life.command.limits.restart_backoffs_max);
    loop {
        let since = Instant::now();
        let mut why = tokio::select! {
            why = until_lost(&mut live) => why,
            () = until_ended(&state) => return let_go(live).await,
        };
        // Whatever is left of it must not meet its successor.
        drop(live);
        restarts.worked(since.elapsed());
        live = loop {
            let restart = restarts.failed(Instant::now(), fastrand::f64());
            life.failed(&state, restart, &why);
            let again = async {
                tokio::time::sleep(restart.pause()).await;
                let next = life.start().await?;
                life.rebind(&next.session).await.map(|()| next)
            };
            let next = tokio::select! {
                next = again => next,
                () = until_ended(&state) => return,
            };
            life.restarts.inc();
            match next {
                Ok(next) => break next,
                Err(error) => error.message().clone_into(&mut why),
            }
        };
        life.recovered(&state, live.session.clone());
    }
}

async fn until_ended(state: &watch::Sender<State>) {
    let mut states = state.subscribe();
    // The sender is borrowed: there is one.
    let _ = states.wait_for(|state| matches!(state, State::Ended)).await;
}

/// Waits until a process is of no use any more; why.
async fn until_lost(live: &mut Live) -> String {
    loop {
        let session = live.session.clone();
        tokio::select! {
            why = session.ended() => {
                // Its end says more than that of the connection, if it comes soon.
                return match timeout(END_TIME_MAX, live.process.ended()).await {
                    Ok(status) => format!("it {}", told(status)),
                    Err(_) => why,
                };
            }
            status = live.process.ended() => return format!("it {}", told(status)),
            () = session.doubted() => {
                if let Err(waited) = answers(&session).await {
                    return format!(
                        "it owes answers and does not say how it is within {} ms",
                        waited.as_millis()
                    );
                }
            }
        }
    }
}

/// Waits until a process says anything of how it is, for as long as it is alive.
///
/// # Errors
/// How long that took, when it did not.
async fn answers(session: &Session) -> Result<(), Duration> {
    let mut pulse = std::pin::pin!(timeout(BUSY_PULSE_TIME_MAX, pulse(session)));
    let mut moved = session.moved();
    loop {
        if let Ok(said) = timeout(PULSE_TIME_MAX, &mut pulse).await {
            return said.map_err(|_| BUSY_PULSE_TIME_MAX);
        }
        let now = session.moved();
        if now == moved {
            return Err(PULSE_TIME_MAX);
        }
        moved = now;
    }
}

/// Waits until a process says anything of how it is. One that reads nothing is not even asked.
async fn pulse(session: &Session) {
    while session.health().await.is_err_and(|error| error.code() == Code::Busy) {
        tokio::time::sleep(PULSE_TIME_MAX / 20).await;
    }
}

/// Waits for the end of a process that was told to end; its provider's grace bounds that.
async fn let_go(mut live: Live) {
    let _ = live.process.ended().await;
}
