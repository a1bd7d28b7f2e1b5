//! The provider's side: what makes a factory a process.

use std::collections::HashMap;
use std::env;
use std::io;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::sync::{Notify, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use trellis_core::{BindingId, CallError, Code, Trace};

use super::frame::{self, FromHost, FromProvider, Offer};
use super::outbox::Outbox;
use super::protocol::{FRAME_BYTES_MAX, PROTOCOL, SOCKET_VARIABLE, TOKEN_VARIABLE};
use super::requests::Requests;
use super::transport::{Frames, encode};
use crate::binding::Binding;
use crate::call::{Call, Reply};
use crate::context::{Context, Invoke, Invoker};
use crate::factory::ProviderFactory;
use crate::future::BoxFuture;
use crate::provider::Provider;
use crate::values::Values;

/// How long a provider may take to end when its host is gone.
const ORPHAN_GRACE: Duration = Duration::from_secs(2);
/// How much of its time a provider that ends leaves to the calls under way.
const SHARE_OF_CALLS: f64 = 0.8;
/// Longest wait for a host to read the last answers.
const LAST_WORDS_TIME_MAX: Duration = Duration::from_millis(200);

/// Runs a provider as a process of a host: the whole `main` of such a program.
///
/// ```no_run
/// # fn factory() -> impl trellis_providers_sdk::ProviderFactory { todo_factory() }
/// # fn todo_factory() -> NoFactory { NoFactory }
/// # struct NoFactory;
/// # impl trellis_providers_sdk::ProviderFactory for NoFactory {
/// #     fn descriptor(&self) -> trellis_providers_sdk::Descriptor { unreachable!() }
/// #     fn validate(&self, _: &trellis_providers_sdk::Wanted)
/// #         -> Vec<trellis_providers_sdk::ValueProblem> { Vec::new() }
/// #     fn create(&self, _: trellis_providers_sdk::Context, _: trellis_providers_sdk::Values)
/// #         -> trellis_providers_sdk::Created { unreachable!() }
/// # }
/// fn main() -> std::process::ExitCode {
///     trellis_providers_sdk::process::main(factory())
/// }
/// ```
///
/// What it writes to standard error and standard output goes to the host's log.
#[expect(clippy::print_stderr, reason = "it is the main of a program")]
pub fn main(factory: impl ProviderFactory) -> ExitCode {
    let (Some(socket), Ok(token)) = (env::var_os(SOCKET_VARIABLE), env::var(TOKEN_VARIABLE)) else {
        let name = factory.descriptor().name;
        eprintln!(
            "error: `{name}` is a provider, which a Trellis host starts; name this program under \
             `providers` in a manifest: `- process: PATH`"
        );
        return ExitCode::from(2);
    };
    let ended = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .and_then(|runtime| runtime.block_on(run(Arc::new(factory), &socket, token)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: the connection to the host: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves a host until it says so or is gone.
async fn run(
    factory: Arc<dyn ProviderFactory>,
    socket: &std::ffi::OsStr,
    token: String,
) -> io::Result<()> {
    let (from_host, to_host) = UnixStream::connect(socket).await?.into_split();
    let outbox = Outbox::new(to_host);
    let writer = tokio::spawn({
        let outbox = outbox.clone();
        async move { outbox.drain().await }
    });
    let offer = Offer { token, protocol: PROTOCOL, descriptor: factory.descriptor(), checks: true };
    let hello = encode(&FromProvider::Hello(Box::new(offer))).map_err(io::Error::other)?;
    outbox.send(hello).map_err(io::Error::other)?;
    let session = Session::new(factory, outbox);
    let mut frames = Frames::new(from_host);
    let told = session.serve(&mut frames).await;
    let grace = *told.as_ref().unwrap_or(&ORPHAN_GRACE);
    let ending = session.end(grace);
    tokio::pin!(ending);
    tokio::select! {
        () = &mut ending => {}
        // What is under way may wait for answers of the host.
        _ = session.serve(&mut frames), if told.is_ok() => ending.await,
    }
    session.outbox.finish();
    // A host that reads no more is waited for no longer.
    let _ = timeout(LAST_WORDS_TIME_MAX, writer).await;
    told.map(drop)
}

/// One connection to a host, and the provider it made.
struct Session {
    factory: Arc<dyn ProviderFactory>,
    provider: Arc<OnceLock<Arc<dyn Provider>>>,
    outbox: Outbox,
    /// What is being done for the host, so that it can be cancelled.
    under_way: Arc<Mutex<HashMap<u64, AbortHandle>>>,
    /// Told when nothing is.
    idle: Arc<Notify>,
    invokes: Requests<Reply>,
    /// No more work is taken.
    ending: AtomicBool,
}

impl Session {
    fn new(factory: Arc<dyn ProviderFactory>, outbox: Outbox) -> Self {
        Self {
            factory,
            provider: Arc::default(),
            outbox,
            under_way: Arc::default(),
            idle: Arc::default(),
            ending: AtomicBool::new(false),
            invokes: Requests::default(),
        }
    }

    /// Does what the host says; gives the time it leaves for ending.
    async fn serve(&self, frames: &mut Frames<OwnedReadHalf>) -> io::Result<Duration> {
        loop {
            match frames.next::<FromHost>(FRAME_BYTES_MAX).await? {
                None => return Ok(ORPHAN_GRACE),
                Some(FromHost::Shutdown { deadline_ms }) => {
                    return Ok(Duration::from_millis(deadline_ms));
                }
                Some(frame) => self.take(frame),
            }
        }
    }

    fn take(&self, frame: FromHost) {
        match frame {
            FromHost::Create { id, values, invokes_max } => self.create(id, values, invokes_max),
            FromHost::Check { id, wanted } => {
                let problems = self.factory.validate(&wanted);
                let (payload, error) = (None, None);
                say(&self.outbox, id, &FromProvider::Result { id, payload, error, problems });
            }
            FromHost::Bind { id, binding } => self.bind(id, binding),
            FromHost::Unbind { id, binding } => self.unbind(id, binding),
            FromHost::Call { id, binding, operation, payload, deadline_ms, trace } => {
                let trace = trace.and_then(|text| Trace::from_traceparent(&text));
                let (remaining, trace) =
                    (Duration::from_millis(deadline_ms), trace.unwrap_or_default());
                self.call(id, Call { binding, operation, payload, remaining, trace, depth: 0 });
            }
            FromHost::Cancel { id } => {
                let mut under_way = self.under_way();
                under_way.remove(&id).into_iter().for_each(|running| running.abort());
                if under_way.is_empty() {
                    self.idle.notify_waiters();
                }
            }
            FromHost::Health { id } => self.health(id),
            FromHost::Invoked { id, payload, error } => {
                self.invokes.answer(id, frame::outcome(payload, error));
            }
            // The reader takes it.
            FromHost::Shutdown { .. } => {}
        }
    }

    fn create(&self, id: u64, values: Values, invokes_max: u32) {
        let permits = Semaphore::new(usize::try_from(invokes_max).unwrap_or(usize::MAX));
        let host =
            RemoteHost { outbox: self.outbox.clone(), invokes: self.invokes.clone(), permits };
        let made = self.factory.create(Context::new(Arc::new(host)), values);
        let place = Arc::clone(&self.provider);
        self.spawn(id, async move {
            match made.await {
                Ok(provider) => match place.set(provider) {
                    Ok(()) => FromProvider::Ready { id },
                    Err(_) => {
                        let error = CallError::new(Code::Internal, "the provider was made already");
                        FromProvider::result(id, Err(error))
                    }
                },
                Err(error) => FromProvider::result(id, Err(error)),
            }
        });
    }

    fn bind(&self, id: u64, binding: Binding) {
        let provider = self.provider();
        self.spawn(id, async move {
            let bound = match &provider {
                Ok(provider) => provider.bind(binding).await,
                Err(error) => Err(error.clone()),
            };
            FromProvider::result(id, bound.map(|()| Bytes::new()))
        });
    }

    fn unbind(&self, id: u64, binding: BindingId) {
        let provider = self.provider();
        self.spawn(id, async move {
            if let Ok(provider) = &provider {
                provider.unbind(binding).await;
            }
            FromProvider::result(id, Ok(Bytes::new()))
        });
    }

    fn call(&self, id: u64, call: Call) {
        let provider = self.provider();
        self.spawn(id, async move {
            let reply = match &provider {
                Ok(provider) => provider.call(call).await,
                Err(error) => Err(error.clone()),
            };
            FromProvider::result(id, reply)
        });
    }

    fn health(&self, id: u64) {
        let provider = self.provider();
        self.spawn(id, async move {
            match &provider {
                Ok(provider) => {
                    let health = provider.health().await;
                    FromProvider::healthy(id, health, (provider.addresses(), provider.samples()))
                }
                Err(error) => FromProvider::result(id, Err(error.clone())),
            }
        });
    }

    fn provider(&self) -> Result<Arc<dyn Provider>, CallError> {
        // Acquire pairs with the release in `end`, though one task both reads and writes it.
        if self.ending.load(Ordering::Acquire) {
            return Err(CallError::new(Code::Stopping, "the provider is ending"));
        }
        let not_yet = || CallError::new(Code::Stopping, "the provider was not made yet");
        self.provider.get().map(Arc::clone).ok_or_else(not_yet)
    }

    /// Does something for the host and sends the answer. A panic is an answer too.
    fn spawn(&self, id: u64, work: impl Future<Output = FromProvider> + Send + 'static) {
        let (outbox, under_way) = (self.outbox.clone(), Arc::clone(&self.under_way));
        let idle = Arc::clone(&self.idle);
        // Held until it is listed: it may end before this returns.
        let mut listed = self.under_way();
        let task = tokio::spawn(async move {
            let answer = AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
                FromProvider::result(
                    id,
                    Err(CallError::new(Code::Provider, "the provider panicked")),
                )
            });
            let mut under_way = under_way.lock().unwrap_or_else(PoisonError::into_inner);
            if under_way.remove(&id).is_some() {
                say(&outbox, id, &answer);
            }
            if under_way.is_empty() {
                idle.notify_waiters();
            }
        });
        listed.insert(id, task.abort_handle());
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<u64, AbortHandle>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets what is under way finish, then the provider, all within `grace`.
    async fn end(&self, grace: Duration) {
        // Release: see `provider`.
        self.ending.store(true, Ordering::Release);
        let until = Instant::now() + grace;
        let finished = async {
            loop {
                let idle = self.idle.notified();
                tokio::pin!(idle);
                idle.as_mut().enable();
                if self.under_way().is_empty() {
                    break;
                }
                idle.await;
            }
        };
        // What does not end in time is ended by the host.
        let _ = timeout(grace.mul_f64(SHARE_OF_CALLS), finished).await;
        if let Some(provider) = self.provider.get() {
            let left = until.saturating_duration_since(Instant::now());
            let _ = timeout(left, provider.shutdown(left)).await;
        }
        self.invokes.close();
    }
}

/// Answers the host. What does not fit into a frame becomes an error; a host that does not read is
/// left.
fn say(outbox: &Outbox, id: u64, answer: &FromProvider) {
    let encoded = encode(answer).or_else(|error| encode(&FromProvider::result(id, Err(error))));
    let sent = encoded.and_then(|frame| outbox.send(frame));
    if sent.is_err() {
        outbox.close();
    }
}

/// The host, as the provider's way to actors.
struct RemoteHost {
    outbox: Outbox,
    invokes: Requests<Reply>,
    permits: Semaphore,
}

impl Invoker for RemoteHost {
    fn invoke(&self, invoke: Invoke) -> BoxFuture<'_, Reply> {
        Box::pin(async move {
            let gone = || CallError::new(Code::Stopping, "the host is gone");
            let _permit = self.permits.acquire().await.map_err(|_| gone())?;
            // The permits bound them.
            let pending = self.invokes.begin(usize::MAX).map_err(|_| gone())?;
            let id = pending.id();
            let Invoke { binding, operation, payload, patience, trace } = invoke;
            let frame = encode(&FromProvider::Invoke {
                id,
                binding,
                operation,
                payload,
                deadline_ms: patience.map(frame::milliseconds),
                trace: trace.and_then(frame::of_trace),
            })?;
            self.outbox.send(frame)?;
            let mut cancel = CancelOnDrop { outbox: &self.outbox, id, answered: false };
            let answer = pending.await;
            cancel.answered = true;
            answer.unwrap_or_else(|| Err(gone()))
        })
    }
}

/// Tells the host when nobody waits for an answer any more.
struct CancelOnDrop<'a> {
    outbox: &'a Outbox,
    id: u64,
    answered: bool,
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        if !self.answered {
            // A connection that takes nothing any more needs no word.
            let sent = encode(&FromProvider::Cancel { id: self.id });
            drop(sent.and_then(|frame| self.outbox.send(frame)));
        }
    }
}
