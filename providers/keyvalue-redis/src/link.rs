//! One binding's way to its server.

use std::sync::Arc;

use redis::aio::ConnectionManager;
use redis::{Cmd, FromRedisValue, Script};
use trellis_core::CallError;

use crate::server::Server;

/// The server a binding uses, and where in it its keys stand.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) server: Arc<Server>,
    /// What stands before every key.
    pub(crate) prefix: String,
}

impl Link {
    /// The key as Redis knows it.
    pub(crate) fn key(&self, key: &str) -> String {
        [&self.prefix, key].concat()
    }

    /// Sends one command.
    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, CallError> {
        let send = |mut manager: ConnectionManager| async move {
            command.query_async::<T>(&mut manager).await
        };
        self.server.ask(send).await
    }

    /// Runs a script over one key.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        key: &str,
        argument: &str,
    ) -> Result<T, CallError> {
        let mut invocation = script.key(self.key(key));
        invocation.arg(argument);
        let send = |mut manager: ConnectionManager| async move {
            invocation.invoke_async::<T>(&mut manager).await
        };
        self.server.ask(send).await
    }
}
