//! Calls of the host itself.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use trellis_core::{CallError, Trace};
use trellis_dispatch::{Dispatcher, Message};
use trellis_entitlements::AuthzRequest;

/// Calls actors as the host itself, over the road of all calls. Cheap to clone.
#[derive(Clone)]
pub(crate) struct SystemCalls(Arc<Dispatcher>);

impl SystemCalls {
    pub(crate) const fn new(dispatcher: Arc<Dispatcher>) -> Self {
        Self(dispatcher)
    }

    /// Calls an actor by key, name or alias, until `deadline` or the host's own bound.
    ///
    /// # Errors
    /// [`trellis_core::Code::NotFound`] when no such actor runs; else what the call answered.
    pub(crate) async fn call(
        &self,
        actor: &str,
        operation: impl Into<Cow<'static, str>> + Send,
        payload: impl Into<Bytes> + Send,
        deadline: Option<Instant>,
    ) -> Result<Bytes, CallError> {
        let message =
            Message { payload: payload.into(), deadline, depth: 0, trace: Trace::default() };
        let operation = &operation.into();
        self.0.dispatch(AuthzRequest::FromSystem { actor, operation }, message).await
    }
}
