//! One Redis server, shared by every binding with the same URL.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use parking_lot::Mutex;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::io::tcp::TcpSettings;
use redis::{Client, RedisError, RedisResult};
use trellis_capabilities_keyvalue::Bounds;
use trellis_core::{CallError, Code};

use crate::cause::{Cause, cause};
use crate::metrics::Metrics;
use crate::settings::{address, wrong_url};

/// Pauses between attempts to reach a server that is down: few and short, since callers wait for
/// them; the next call attempts again.
const RETRIES: usize = 1;
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// Commands on their way at once over the one connection; more wait their turn.
const IN_FLIGHT_MAX: usize = 1_024;

/// Longest wait for a server to say how it is: less than the host waits for the provider, so that
/// one server that does not answer does not speak for the others.
const HEALTH_PATIENCE: Duration = Duration::from_millis(1_800);

/// A connection that is made when it is first needed and made again when it broke.
pub(crate) struct Server {
    manager: ConnectionManager,
    /// Host and port alone: a URL may hold a password.
    address: String,
    /// The number of the database at that server.
    database: i64,
    patience: Duration,
    /// Why the last command failed, while the server is out of reach.
    trouble: Mutex<Option<String>>,
    metrics: Metrics,
}

impl Server {
    /// Reads the URL; connects later. Must run within the runtime.
    ///
    /// # Errors
    /// [`Code::Config`] when the URL is not one of a Redis server; the text does not repeat it.
    pub(crate) fn new(url: &str, patience: Duration, metrics: Metrics) -> Result<Self, CallError> {
        let (info, address) = address(url)?;
        let database = info.redis_settings().db();
        let tcp = TcpSettings::default().set_nodelay(true).set_user_timeout(patience);
        let client = Client::open(info.set_tcp_settings(tcp)).map_err(|_| wrong_url())?;
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(RETRIES)
            .set_min_delay(RETRY_AFTER)
            .set_connection_timeout(Some(patience))
            .set_response_timeout(Some(patience))
            .set_pipeline_buffer_size(IN_FLIGHT_MAX);
        let manager =
            ConnectionManager::new_lazy_with_config(client, config).map_err(|_| wrong_url())?;
        Ok(Self { manager, address, database, patience, trouble: Mutex::new(None), metrics })
    }

    /// The number of the database at that server.
    pub(crate) const fn database(&self) -> i64 {
        self.database
    }

    /// Sends a command, or runs a script, and waits no longer than the server's patience.
    ///
    /// # Errors
    /// [`Code::Provider`] when the server is out of reach or refuses; the contract's own refusals
    /// for a value of the wrong kind.
    pub(crate) async fn ask<T, F, A>(&self, bounds: &Bounds, command: F) -> Result<T, CallError>
    where
        F: FnOnce(ConnectionManager) -> A,
        A: Future<Output = RedisResult<T>>,
    {
        self.ask_within(self.patience, bounds, command).await
    }

    async fn ask_within<T, F, A>(
        &self,
        patience: Duration,
        bounds: &Bounds,
        command: F,
    ) -> Result<T, CallError>
    where
        F: FnOnce(ConnectionManager) -> A,
        A: Future<Output = RedisResult<T>>,
    {
        self.metrics.commands.inc();
        let answer = tokio::time::timeout(patience, command(self.manager.clone())).await;
        match answer {
            Ok(Ok(value)) => {
                self.recovered();
                Ok(value)
            }
            Ok(Err(error)) => Err(self.explain(&error, bounds)),
            Err(_elapsed) => Err(self.unreachable("it does not answer")),
        }
    }

    /// What is wrong with the server, asked now.
    pub(crate) async fn trouble(&self) -> Option<String> {
        let ping = |mut manager: ConnectionManager| async move {
            redis::cmd("PING").query_async::<()>(&mut manager).await
        };
        let patience = self.patience.min(HEALTH_PATIENCE);
        let answer = self.ask_within(patience, &Bounds::default(), ping).await;
        answer.err().map(|error| error.message().to_owned())
    }

    fn explain(&self, error: &RedisError, bounds: &Bounds) -> CallError {
        match cause(error, bounds) {
            Cause::Request(refusal) => {
                self.metrics.failed(&refusal);
                refusal
            }
            Cause::Unusable(why) => self.unreachable(&why),
            Cause::Refused(why) => {
                CallError::new(Code::Provider, format!("Redis at {} refuses: {why}", self.address))
            }
        }
    }

    fn unreachable(&self, why: &str) -> CallError {
        self.metrics.failures.inc();
        let sentence = format!("Redis at {} cannot be used: {why}", self.address);
        let before = self.trouble.lock().replace(sentence.clone());
        if before.as_ref() != Some(&sentence) {
            tracing::warn!(server = %self.address, why, "Redis cannot be used; going on trying");
        }
        CallError::new(Code::Provider, sentence)
    }

    fn recovered(&self) {
        if self.trouble.lock().take().is_some() {
            tracing::info!(server = %self.address, "Redis answers again");
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}
