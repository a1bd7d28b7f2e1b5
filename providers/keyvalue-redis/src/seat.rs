//! One binding's place at its server.

use std::sync::Arc;

use redis::aio::ConnectionManager;
use redis::{Cmd, FromRedisValue, Script};
use trellis_capabilities_keyvalue::Bounds;
use trellis_core::CallError;

use crate::keys::Keys;
use crate::server::Server;

/// The server a binding uses, where in it its keys stand, and how much it may ask for at once.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) server: Arc<Server>,
    pub(crate) keys: Keys,
    pub(crate) bounds: Bounds,
}

impl Seat {
    /// The key as Redis knows it.
    pub(crate) fn key(&self, key: impl AsRef<[u8]>) -> Vec<u8> {
        self.keys.name(key.as_ref())
    }

    /// Sends one command.
    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, CallError> {
        let send = |mut manager: ConnectionManager| async move {
            command.query_async::<T>(&mut manager).await
        };
        self.server.ask(&self.bounds, send).await
    }

    /// Runs a script over these keys.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: &[impl AsRef<[u8]> + Sync],
        arguments: &[impl AsRef<[u8]> + Sync],
    ) -> Result<T, CallError> {
        let mut invocation = script.prepare_invoke();
        for key in keys {
            invocation.key(self.key(key));
        }
        for argument in arguments {
            invocation.arg(argument.as_ref());
        }
        // The bounds, which every script finds behind its own arguments.
        invocation.arg(self.bounds.elements_max).arg(self.bounds.answer_bytes_max);
        let send = |mut manager: ConnectionManager| async move {
            invocation.invoke_async::<T>(&mut manager).await
        };
        self.server.ask(&self.bounds, send).await
    }
}
