//! The one place that knows how providers are made and asked.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::FutureExt;

use bytes::Bytes;
use tokio::time::{Instant, timeout, timeout_at};
use trellis_core::{CallError, Code, Contract, Direction, Trace};
use trellis_providers_sdk::{
    Binding, BindingId, Call, Context, Health, Invoker, Listening, Newcomer, ProcessState,
    Provider, Sample, Scope, Setting,
};
use trellis_targets::ProviderTarget;

use crate::calls::Calls;
use crate::lifecycle::Life;
use crate::prepare::PreparedProvider;
use crate::warrant::Warrant;

/// Longest wait for a provider to be made, or to take a binding.
const PROVIDER_ANSWER_MAX: Duration = Duration::from_secs(10);
/// Longest wait for a provider to say how it is; slower is as good as none.
const HEALTH_ANSWER_MAX: Duration = Duration::from_secs(2);
/// Longest wait for a server that is replaced to leave its doors, at the end of a change.
const LEAVE_MAX: Duration = Duration::from_secs(5);
/// How long past its time a provider may take to shut down; then it is dropped as it is.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// One instance of a provider. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Instance(Arc<Inner>);

/// An instance for as long as somebody has it.
#[derive(Default)]
pub(crate) struct WeakInstance(Weak<Inner>);

struct Inner {
    provider: Arc<dyn Provider>,
    is_server: bool,
    life: Arc<Life>,
    warrant: Warrant,
}

impl WeakInstance {
    pub(crate) fn upgrade(&self) -> Option<Instance> {
        self.0.upgrade().map(Instance)
    }
}

impl Instance {
    /// Makes one.
    pub(crate) async fn make(
        prepared: &PreparedProvider,
        calls: Arc<dyn Invoker>,
        (life, warrant): (Arc<Life>, Warrant),
    ) -> Result<Self, CallError> {
        let create =
            async { prepared.factory.create(Context::new(calls), prepared.values.clone()).await };
        let provider = in_time(&prepared.name, "start", create).await?;
        let is_server = prepared.descriptor.contracts.iter().any(is_intake);
        life.is_made();
        Ok(Self(Arc::new(Inner { provider, is_server, life, warrant })))
    }

    pub(crate) fn downgrade(&self) -> WeakInstance {
        WeakInstance(Arc::downgrade(&self.0))
    }

    /// From now on it is spoken of by this name.
    pub(crate) fn rename(&self, name: &Arc<str>) {
        self.0.life.rename(name);
    }

    /// Where it is in its life.
    pub(crate) fn life(&self) -> &Arc<Life> {
        &self.0.life
    }

    /// What it runs by.
    pub(crate) fn warrant(&self) -> &Warrant {
        &self.0.warrant
    }

    /// True when both are the same one.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// What the road calls.
    pub(crate) fn target(&self) -> Arc<ProviderTarget> {
        let overseer = Arc::clone(&self.0.life) as Arc<_>;
        Arc::new(ProviderTarget::new(Arc::clone(&self.0.provider), overseer))
    }

    pub(crate) fn name(&self) -> Arc<str> {
        self.0.life.name()
    }

    /// What it measured so far; nothing when it fails to say.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        catch_unwind(AssertUnwindSafe(|| self.0.provider.samples())).unwrap_or_default()
    }

    /// The process that it is; nothing when it fails to say.
    pub(crate) fn process(&self) -> Option<ProcessState> {
        catch_unwind(AssertUnwindSafe(|| self.0.provider.process())).unwrap_or_default()
    }

    pub(crate) async fn bind(&self, binding: Binding) -> Result<(), CallError> {
        in_time(&self.name(), "take a binding", async { self.0.provider.bind(binding).await }).await
    }

    /// Binds several at once; see [`Provider::bind_all`].
    pub(crate) async fn bind_all(
        &self,
        newcomers: Vec<Newcomer>,
        leaving: Vec<BindingId>,
    ) -> Vec<Result<(), CallError>> {
        let count = newcomers.len();
        let bound = async { self.0.provider.bind_all(newcomers, leaving).await };
        self.each(count, "take its bindings", bound).await
    }

    /// Has it reserve what these will hold; see [`Provider::reserve_all`].
    pub(crate) async fn reserve_all(
        &self,
        newcomers: Vec<Newcomer>,
        leaving: Vec<BindingId>,
    ) -> Vec<Result<(), CallError>> {
        let count = newcomers.len();
        let reserved = async { self.0.provider.reserve_all(newcomers, leaving).await };
        self.each(count, "reserve what its bindings need", reserved).await
    }

    /// What it answers for each of `count` bindings.
    async fn each(
        &self,
        count: usize,
        what: &str,
        answers: impl Future<Output = Vec<Result<(), CallError>>>,
    ) -> Vec<Result<(), CallError>> {
        let answers = async { Ok(answers.await) };
        let bound = match in_time(&self.name(), what, answers).await {
            Ok(bound) if bound.len() == count => return bound,
            Ok(bound) => {
                let text = format!(
                    "provider {} was given {count} bindings and told of {}; it is faulty",
                    self.name(),
                    bound.len()
                );
                CallError::new(Code::Provider, text)
            }
            Err(error) => error,
        };
        vec![Err(bound); count]
    }

    /// Takes bindings away, all in one moment; done by `until` in any case.
    pub(crate) async fn unbind_all(&self, ids: Vec<BindingId>, until: Instant) {
        let unbind = caught(async { self.0.provider.unbind_all(ids).await });
        let _ = timeout_at(until, unbind).await;
    }

    /// Why it is not well; `None` when it is.
    pub(crate) async fn ailment(&self) -> Option<String> {
        why(health(async { self.0.provider.health().await }).await)
    }

    /// Why it is not well for each of these bindings, in their order; `None` for those for which it
    /// is.
    pub(crate) async fn ailment_of_each(&self, ids: Vec<BindingId>) -> Vec<Option<String>> {
        let count = ids.len();
        match health(async { self.0.provider.health_of_each(ids).await }).await {
            Ok(healths) if healths.len() == count => {
                healths.into_iter().map(|health| why(Ok(health))).collect()
            }
            Ok(healths) => {
                let said = healths.len();
                vec![Some(format!("asked about {count} bindings, it spoke of {said}")); count]
            }
            Err(why) => vec![Some(why); count],
        }
    }

    /// Has it give out what it keeps, or take something in: what only the host asks for.
    pub(crate) async fn data(
        &self,
        (binding, operation): (BindingId, &'static str),
        payload: Bytes,
    ) -> Result<Bytes, CallError> {
        let call = Call {
            binding,
            operation: operation.into(),
            payload,
            remaining: PROVIDER_ANSWER_MAX,
            trace: Trace::default(),
            depth: 0,
        };
        let answer = async { self.0.provider.call(call).await };
        in_time(&self.name(), "move what it keeps", answer).await
    }

    /// True when any of its contracts brings calls in.
    pub(crate) fn is_server(&self) -> bool {
        self.0.is_server
    }

    /// Where it takes work from outside; nothing when it fails to say.
    pub(crate) fn addresses(&self) -> Vec<Listening> {
        catch_unwind(AssertUnwindSafe(|| self.0.provider.addresses())).unwrap_or_default()
    }

    /// Has a server that is replaced take nothing more from outside; it has until `until` for what
    /// it has. One that is slow to leave is not waited for long.
    pub(crate) async fn leave(&self, until: Instant) {
        let grace = until.saturating_duration_since(Instant::now());
        let leaving = caught(async { self.0.provider.leave(grace).await });
        // It goes on aside, and ends with its shutdown.
        let _ = self.unless_expelled(timeout(LEAVE_MAX, leaving)).await;
    }

    /// Has it finish what it has by `until`; at once when it may not run any more.
    pub(crate) async fn shut_down(&self, until: Instant) {
        let graceful = self.go_down(until.saturating_duration_since(Instant::now()));
        if self.unless_expelled(graceful).await.is_none() {
            self.end().await;
        }
    }

    /// Has it end at once: what it has is cut. So may one be ended that is shutting down.
    pub(crate) async fn end(&self) {
        self.go_down(Duration::ZERO).await;
    }

    async fn go_down(&self, grace: Duration) {
        self.0.life.drains();
        // One that panics has let go of what it is going to let go of.
        let down = caught(async { self.0.provider.shutdown(grace).await });
        if timeout(grace + LAST_WORDS, down).await.is_err() {
            tracing::warn!(provider = %self.name(), "did not shut down in time; it is dropped");
        }
        self.0.life.stops();
    }

    /// What comes of this; nothing when the instance may not run any more before.
    pub(crate) async fn unless_expelled<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            // What was taken back is not waited for, whatever else is so.
            biased;
            () = self.0.warrant.taken_back() => None,
            done = work => Some(done),
        }
    }

    /// Waits for the last of the calls that it has, until then at most; those of one that may not
    /// run any more are cut.
    pub(crate) async fn finish(&self, calls: &Calls, until: Instant) {
        if self.unless_expelled(timeout_at(until, calls.ended())).await.is_none() {
            calls.cut();
        }
    }
}

/// What a provider says of how it is, within a bound; an error says why it says nothing.
async fn health<T>(health: impl Future<Output = T>) -> Result<T, String> {
    match timeout(HEALTH_ANSWER_MAX, caught(health)).await {
        Ok(Some(health)) => Ok(health),
        Ok(None) => Err("it failed when it was asked; the log says why".to_owned()),
        Err(_) => Err(format!("no answer within {} ms", HEALTH_ANSWER_MAX.as_millis())),
    }
}

/// Why a provider is not well; `None` when it is.
fn why(health: Result<Health, String>) -> Option<String> {
    match health {
        Ok(Health::Healthy) => None,
        Ok(Health::Degraded(why)) | Err(why) => Some(why),
    }
}

/// Those bindings, by the instances that serve them.
pub(crate) fn by_instance(
    bindings: impl IntoIterator<Item = (BindingId, Instance)>,
) -> Vec<(Instance, Vec<BindingId>)> {
    let mut of_instance: Vec<(Instance, Vec<BindingId>)> = Vec::new();
    for (id, instance) in bindings {
        match of_instance.iter_mut().find(|(known, _)| known.is(&instance)) {
            Some((_, ids)) => ids.push(id),
            None => of_instance.push((instance, vec![id])),
        }
    }
    of_instance
}

/// What a provider does; `None` when it panics, be it before it gives a future.
async fn caught<T>(work: impl Future<Output = T>) -> Option<T> {
    AssertUnwindSafe(work).catch_unwind().await.ok()
}

/// What a provider answers, within a bound. A panic of it is its failure, and nobody else's.
async fn in_time<T>(
    provider: &str,
    what: &str,
    answer: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    let text = match timeout(PROVIDER_ANSWER_MAX, caught(answer)).await {
        Ok(Some(answer)) => return answer,
        Ok(None) => {
            format!("provider {provider} failed to {what}; the host's log says why")
        }
        Err(_) => {
            let ms = PROVIDER_ANSWER_MAX.as_millis();
            format!("provider {provider} did not {what} within {ms} ms")
        }
    };
    Err(CallError::new(Code::Provider, text))
}

/// True when calls come in over the contract: its provider brings them to actors. Whoever may be
/// called by such a provider must be ready before the provider learns of the binding.
pub(crate) fn is_intake(contract: &Contract) -> bool {
    contract.operations.iter().any(|operation| operation.direction == Direction::ToActor)
}

/// The settings whose values an old and a new instance cannot both hold. What stands at a binding
/// is held by the binding, and is the provider's own affair.
pub(crate) fn contested(old: &PreparedProvider, new: &PreparedProvider) -> Vec<String> {
    let meets = |setting: &&Setting| {
        let held = held_at(old, &setting.key);
        let wanted = held_by(setting, new);
        wanted.is_some() && held == wanted
    };
    let settings = new.descriptor.settings.iter().filter(meets);
    settings.map(|setting| setting.key.to_string()).collect()
}

/// The settings whose values no two instances can hold, with what this one holds.
pub(crate) fn held(provider: &PreparedProvider) -> impl Iterator<Item = (&str, &str)> {
    let settings = provider.descriptor.settings.iter();
    settings.filter_map(|setting| Some((&*setting.key, held_by(setting, provider)?)))
}

fn held_at<'a>(provider: &'a PreparedProvider, key: &str) -> Option<&'a str> {
    held_by(provider.descriptor.setting(key)?, provider)
}

fn held_by<'a>(setting: &'a Setting, provider: &'a PreparedProvider) -> Option<&'a str> {
    let value = provider.values.get(&setting.key).or(setting.default.as_deref())?;
    (setting.scope == Scope::Provider && setting.holds(value)).then_some(value)
}
