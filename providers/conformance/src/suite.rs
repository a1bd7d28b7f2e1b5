//! What suites are made of: named cases, and a binding to call through.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use trellis_core::{ActorKey, BindingName, CallError, Code, Contract, OperationSpec, Trace};
use trellis_providers_sdk::{Binding, BindingId, BoxFuture, Call, Provider, Values};

/// How long any one call may take; far more than any takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// One rule of a contract, and the code that checks it.
pub struct Case<S> {
    /// The rule in a few words; unique within the suite.
    pub name: &'static str,
    /// Panics when the subject breaks the rule.
    pub check: fn(S) -> BoxFuture<'static, ()>,
}

/// Runs the cases one after another, so that a failure is read beside its name.
pub async fn run<S: Clone + Send + 'static>(cases: &[Case<S>], subject: &S) {
    for case in cases {
        if let Err(failure) = tokio::spawn((case.check)(subject.clone())).await {
            panic!("the provider breaks the rule \"{}\": {failure}", case.name);
        }
    }
}

/// One actor's binding to the provider under test.
#[derive(Clone)]
pub struct Caller {
    provider: Arc<dyn Provider>,
    binding: Binding,
}

#[allow(clippy::missing_errors_doc, reason = "calls answer as their operation does")]
impl Caller {
    /// Binds an actor of its own to the provider, with these values.
    pub async fn bind(provider: &Arc<dyn Provider>, contract: &Contract, values: Values) -> Self {
        let id = fresh_id();
        let actor = format!("MCONFORMANCE{}", id.0);
        let caller = Self::new(provider, binding(id, &actor, contract, values));
        caller.bind_again().await;
        caller
    }

    /// Binds an actor of this key.
    pub async fn bind_as(
        actor: &str,
        provider: &Arc<dyn Provider>,
        contract: &Contract,
        values: Values,
    ) -> Result<Self, CallError> {
        let caller = Self::new(provider, binding(fresh_id(), actor, contract, values));
        caller.provider.bind(caller.binding.clone()).await?;
        Ok(caller)
    }

    fn new(provider: &Arc<dyn Provider>, binding: Binding) -> Self {
        Self { provider: Arc::clone(provider), binding }
    }

    /// Gives the binding other values.
    pub async fn change(&mut self, values: Values) {
        self.binding.values = values;
        self.bind_again().await;
    }

    /// Binds once more with the same values, which is no error.
    pub async fn bind_again(&self) {
        let bound = self.provider.bind(self.binding.clone()).await;
        bound.expect("the suite's values are right");
    }

    /// Ends the binding.
    pub async fn unbind(&self) {
        self.provider.unbind(self.binding.id).await;
    }

    /// Calls an operation.
    pub async fn ask<O: OperationSpec>(&self, request: &O::Input) -> Result<O::Output, CallError> {
        let reply = self.raw(O::NAME, O::encode_input(request)).await?;
        Ok(O::decode_output(&reply).expect("the reply has the form the contract gives it"))
    }

    /// Calls any operation with any bytes.
    pub async fn raw(
        &self,
        operation: &str,
        payload: impl Into<Bytes>,
    ) -> Result<Bytes, CallError> {
        let call = Call {
            binding: self.binding.id,
            operation: Cow::Owned(operation.to_owned()),
            payload: payload.into(),
            remaining: PATIENCE,
            trace: Trace::default(),
            depth: 0,
        };
        let answered = tokio::time::timeout(PATIENCE, self.provider.call(call)).await;
        answered.expect("a provider answers long before the deadline")
    }

    /// What holds for every contract: unknown operations and malformed requests are refused with
    /// their codes.
    pub async fn refuses_what_is_not_of_the_contract(&self, contract: &Contract) {
        for operation in ["", "Nothing", &format!("{}!Nothing", contract.id)] {
            assert_refused(self.raw(operation, &b""[..]).await, Code::NotFound);
        }
        for operation in contract.operations.iter() {
            let empty = self.raw(&operation.name, &b""[..]).await;
            // An operation without a request takes the empty one, and has nothing to read.
            if empty.is_err() {
                assert_refused(empty, Code::Message);
                // The one byte that begins no MessagePack value.
                assert_refused(self.raw(&operation.name, &b"\xc1"[..]).await, Code::Message);
            }
        }
    }

    /// What holds for every provider that keeps something for a binding: it is gone with it.
    pub async fn is_refused_after_its_end(&self, contract: &Contract) {
        self.unbind().await;
        for operation in contract.operations.iter() {
            assert_refused(self.raw(&operation.name, &b""[..]).await, Code::NotFound);
        }
    }
}

fn fresh_id() -> BindingId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    // Relaxed: only that each number comes once matters.
    BindingId(NEXT.fetch_add(1, Ordering::Relaxed))
}

fn binding(id: BindingId, actor: &str, contract: &Contract, values: Values) -> Binding {
    Binding {
        id,
        actor: ActorKey::new(actor),
        actor_name: actor.to_lowercase(),
        contract: contract.id.clone(),
        name: BindingName::default(),
        payload_bytes_max: 17 << 20,
        values,
    }
}

/// Asserts that an operation was refused with `code`.
pub fn assert_refused<T: std::fmt::Debug>(answer: Result<T, CallError>, code: Code) {
    match answer {
        Ok(reply) => panic!("expected {code}, got the reply {reply:?}"),
        Err(error) => assert_eq!(error.code(), code, "{error}"),
    }
}

/// Values from literals.
#[must_use]
pub fn values(pairs: &[(&str, &str)]) -> Values {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}
