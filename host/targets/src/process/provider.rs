//! A provider whose process comes and goes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use trellis_core::{CallError, Code};
use trellis_providers_sdk::{
    Binding, BindingId, BoxFuture, Call, Health, Listening, ProcessState, Provider, Reply, Sample,
};

use super::heard;
use super::keeper::{Life, Live, State, keep};
use super::session::Session;

/// Longest wait of a call for a process that is being started again.
const START_WAIT_MAX: Duration = Duration::from_secs(2);

/// Longest wait for the end of a connection over which nothing could be sent.
const END_WAIT_MAX: Duration = Duration::from_secs(2);

/// A provider that is a process.
pub(super) struct ProcessProvider {
    life: Arc<Life>,
    state: watch::Sender<State>,
    keeper: Keeper,
    last: Mutex<Last>,
}

/// The task that keeps the process. Dropping it ends the process.
struct Keeper {
    task: AbortHandle,
    /// Nothing is ever sent: the other end is gone when the task is.
    ended: watch::Receiver<()>,
}

impl Keeper {
    fn begin(kept: impl Future<Output = ()> + Send + 'static) -> Self {
        let (ends, ended) = watch::channel(());
        let task = tokio::spawn(async move {
            let _ends = ends;
            kept.await;
        });
        Self { task: task.abort_handle(), ended }
    }

    /// Waits until it has ended. Several may, and whoever gives up takes nothing along.
    async fn ended(&self) {
        while self.ended.clone().changed().await.is_ok() {}
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the process said of itself when it was last asked.
#[derive(Default)]
struct Last {
    addresses: Vec<Listening>,
    samples: Vec<Sample>,
}

impl ProcessProvider {
    pub(super) fn new(life: Arc<Life>, live: Live) -> Self {
        let (state, _) = watch::channel(State::Up(live.session.clone()));
        let keeper = Keeper::begin(keep(Arc::clone(&life), live, state.clone()));
        Self { life, state, keeper, last: Mutex::default() }
    }

    /// The process to talk to. Waits for one that is on its way.
    async fn session(&self, patience: Duration) -> Result<Session, CallError> {
        if let Some(known) = self.look() {
            return known;
        }
        let mut states = self.state.subscribe();
        let came = states.wait_for(|state| !state.is_passing());
        let waited = timeout(patience.min(START_WAIT_MAX), came).await.is_ok();
        let slow = || Err(self.out(&self.starting()));
        if waited { self.look().unwrap_or_else(slow) } else { slow() }
    }

    /// What is known at once; `None` while it is being started again.
    fn look(&self) -> Option<Result<Session, CallError>> {
        match &*self.state.borrow() {
            passing if passing.is_passing() => None,
            State::Up(session) => Some(Ok(session.clone())),
            State::Starting(_) => None,
            State::Resting(rest) => Some(Err(rest.refusal(&self.life.provider))),
            State::Ended => Some(Err(self.out("it is being stopped"))),
        }
    }

    fn is_up(&self) -> bool {
        matches!(&*self.state.borrow(), State::Up(_))
    }

    fn starting(&self) -> String {
        match &*self.state.borrow() {
            State::Starting(why) => format!("it is being started again, because {why}"),
            _ => "it is being started again".to_owned(),
        }
    }

    fn out(&self, why: &str) -> CallError {
        let text = format!("the process of provider {} does not run: {why}", self.life.provider);
        CallError::new(Code::Provider, text)
    }
}

impl Provider for ProcessProvider {
    fn bind(&self, binding: Binding) -> BoxFuture<'_, Result<(), CallError>> {
        Box::pin(async move {
            let id = binding.id;
            // Listed before it is told, so that one that is started meanwhile is told as well.
            let before = self.life.bindings.lock().insert(id, binding.clone());
            let bound = async { self.session(START_WAIT_MAX).await?.bind(binding).await }.await;
            if bound.is_ok() {
                self.life.refused.lock().remove(&id);
            } else {
                let mut bindings = self.life.bindings.lock();
                match before {
                    Some(before) => drop(bindings.insert(id, before)),
                    None => drop(bindings.remove(&id)),
                }
            }
            bound
        })
    }

    fn unbind(&self, id: BindingId) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.life.refused.lock().remove(&id);
            if self.life.bindings.lock().remove(&id).is_some()
                && let Some(Ok(session)) = self.look()
            {
                // One that is gone serves nothing any more.
                let _ = session.unbind(id).await;
            }
        })
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Reply> {
        Box::pin(async move {
            let until = Instant::now() + call.remaining;
            let mut again = self.life.is_idempotent(&call.operation);
            loop {
                let left = until.saturating_duration_since(Instant::now());
                let session = self.session(left).await?;
                match session.call(Call { remaining: left, ..call.clone() }).await {
                    // It goes away before it knew of the call. That it is gone may not have been
                    // noticed yet.
                    Err(error) if error.code() == Code::Stopping => {
                        if timeout(left.min(END_WAIT_MAX), session.ended()).await.is_err() {
                            return Err(error);
                        }
                    }
                    // It went away before it answered, and may be asked twice.
                    Err(error) if error.code() == Code::Provider && session.is_over() && again => {
                        again = false;
                    }
                    answered => return answered,
                }
            }
        })
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(async move {
            self.life.log.tell_lost();
            // One that is being started again is not waited for: that is how it is.
            let session = self.look().unwrap_or_else(|| Err(self.out(&self.starting())));
            let asked = async { session?.health().await };
            match asked.await {
                Ok((health, addresses, samples)) => {
                    let bindings = self.life.bindings.lock();
                    let addresses = heard::addresses(addresses, |id| bindings.contains_key(&id));
                    drop(bindings);
                    *self.last.lock() = Last { addresses, samples };
                    match (health, self.life.refused()) {
                        (Health::Healthy, Some(why)) => Health::Degraded(why),
                        (health, _) => health,
                    }
                }
                Err(error) => Health::Degraded(error.message().to_owned()),
            }
        })
    }

    fn addresses(&self) -> Vec<Listening> {
        self.last.lock().addresses.clone()
    }

    fn process(&self) -> Option<ProcessState> {
        let id = self.is_up().then(|| *self.life.process_id.lock()).flatten();
        Some(ProcessState { id, restarts: self.life.restarts.get() })
    }

    fn samples(&self) -> Vec<Sample> {
        let up = self.is_up();
        let restarts = self.life.restarts.get();
        let mut samples = self.last.lock().samples.clone();
        samples.push(Sample::counter(
            "provider_process_restarts",
            "Times that the process of a provider was started again",
            restarts,
        ));
        let help = "Whether the process of a provider runs";
        samples.push(Sample::gauge("provider_process_up", help, i64::from(up)));
        samples
    }

    fn shutdown(&self, grace: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let session = self.look().and_then(Result::ok);
            self.state.send_replace(State::Ended);
            if let Some(session) = session {
                session.shut_down(grace);
            }
            if timeout(grace, self.keeper.ended()).await.is_err() {
                // What it holds is dropped with it, and that kills the process.
                self.keeper.task.abort();
            }
        })
    }
}
