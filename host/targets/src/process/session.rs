//! One connection to a provider's process: requests both ways, until it ends.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use trellis_core::{CallError, Code, Trace};
use trellis_providers_sdk::process::{
    FRAME_BYTES_MAX, Frames, FromHost, FromProvider, Outbox, Pending, Requests, encode,
};
use trellis_providers_sdk::{
    Binding, BindingId, Call, Context, Health, Invoke, Listening, Sample, ValueProblem, Values,
    Wanted,
};

use super::counted::Counted;
use super::heard;
use super::log::ProcessLog;

/// Most `invoke`s of one process that may be unanswered at once.
const INVOKES_MAX: usize = 1_024;
/// Most bytes of all their requests together.
const INVOKES_BYTES_MAX: usize = 64 << 20;
/// Longest name of an operation that it calls, in bytes: as long as a guest's may be.
const NAME_BYTES_MAX: usize = 256;
/// Most lines of one frame that go to the log.
const LINES_MAX: usize = 1_000;
/// Most calls to one process that may be unanswered at once.
const CALLS_MAX: usize = 4_096;

/// What a process answered.
enum Answer {
    Ready,
    Result(Result<Bytes, CallError>, Vec<ValueProblem>),
    Healthy(Health, Vec<Listening>, Vec<Sample>),
}

/// A live connection. Cheap to clone; its task ends with the connection.
#[derive(Clone)]
pub(super) struct Session(Arc<Inner>);

struct Inner {
    provider: String,
    outbox: Outbox,
    requests: Requests<Answer>,
    /// How many bytes came.
    came: Arc<AtomicU64>,
    /// Why it ended, once it has.
    ended: watch::Receiver<Option<String>>,
    /// Somebody went away without an answer.
    doubts: watch::Sender<u64>,
    task: AbortHandle,
}

impl Session {
    /// Begins to listen. `context` is the process's way to actors.
    pub(super) fn new(
        (frames, out): (Frames<Counted>, OwnedWriteHalf),
        (context, log): (Context, ProcessLog),
        provider: &str,
    ) -> Self {
        let outbox = Outbox::new(out);
        let requests = Requests::default();
        let came = frames.stream().bytes();
        let (end, ended) = watch::channel(None);
        let listener = Listener {
            outbox: outbox.clone(),
            requests: requests.clone(),
            context,
            log,
            invokes: Arc::default(),
        };
        let task = tokio::spawn(async move {
            let why = listener.listen(frames).await;
            // In this order: who is told that it ended knows why, and who cannot send any more
            // finds it closed.
            end.send_replace(Some(why));
            listener.requests.close();
            listener.outbox.close();
        });
        let (doubts, _) = watch::channel(0);
        let (provider, task) = (provider.to_owned(), task.abort_handle());
        Self(Arc::new(Inner { provider, outbox, requests, came, ended, doubts, task }))
    }

    /// Waits until the connection has ended; why.
    pub(super) async fn ended(&self) -> String {
        let mut ended = self.0.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            Err(_) => "it was ended".to_owned(),
        }
    }

    /// How many bytes went either way so far: what grows is alive.
    pub(super) fn moved(&self) -> u64 {
        // Relaxed: it is only compared with itself a second ago.
        self.0.came.load(Ordering::Relaxed) + self.0.outbox.taken()
    }

    /// Waits until a caller went away without an answer.
    pub(super) async fn doubted(&self) {
        let mut doubts = self.0.doubts.subscribe();
        // The sender lives as long as this.
        let _ = doubts.changed().await;
    }

    /// Has the provider made.
    pub(super) async fn create(&self, values: Values) -> Result<(), CallError> {
        let invokes_max = u32::try_from(INVOKES_MAX).unwrap_or(u32::MAX);
        let answer = self.ask(|id| FromHost::Create { id, values, invokes_max }).await?;
        match answer {
            Answer::Ready => Ok(()),
            Answer::Result(Err(error), _) => Err(error),
            Answer::Result(Ok(_), _) | Answer::Healthy(..) => Err(self.confused()),
        }
    }

    /// Asks what is wrong with values, before a provider is made.
    pub(super) async fn check(&self, wanted: Wanted) -> Result<Vec<ValueProblem>, CallError> {
        let (outcome, problems) = self.result(|id| FromHost::Check { id, wanted }).await?;
        outcome.map(|_| problems)
    }

    pub(super) async fn bind(&self, binding: Binding) -> Result<(), CallError> {
        self.done(|id| FromHost::Bind { id, binding }).await.map(drop)
    }

    pub(super) async fn unbind(&self, binding: BindingId) -> Result<(), CallError> {
        self.done(|id| FromHost::Unbind { id, binding }).await.map(drop)
    }

    pub(super) async fn call(&self, call: Call) -> Result<Bytes, CallError> {
        self.done(|id| FromHost::call(id, call)).await
    }

    /// How it is. That nobody waits for the answer any more casts no doubt on it: calls may take
    /// longer than a look at it.
    pub(super) async fn health(&self) -> Result<(Health, Vec<Listening>, Vec<Sample>), CallError> {
        // However many calls wait, one that does not answer has to be found out.
        let pending = self.0.requests.begin(usize::MAX).map_err(|full| self.refused(full))?;
        match self.wait(pending, |id| FromHost::Health { id }, false).await? {
            Answer::Healthy(health, addresses, samples) => Ok((health, addresses, samples)),
            // It has nothing to say of it, which is no failure.
            Answer::Result(Err(error), _) if error.code() == Code::NotFound => {
                Ok((Health::Healthy, Vec::new(), Vec::new()))
            }
            Answer::Result(Err(error), _) => Err(error),
            Answer::Result(Ok(_), _) | Answer::Ready => Err(self.confused()),
        }
    }

    /// Has the process finish what it has, and end.
    pub(super) fn shut_down(&self, grace: Duration) {
        let frame = encode(&FromHost::shutdown(grace));
        // One that takes nothing any more is killed at the end of its time.
        drop(frame.and_then(|frame| self.0.outbox.send(frame)));
    }

    async fn done(&self, frame: impl FnOnce(u64) -> FromHost) -> Result<Bytes, CallError> {
        self.result(frame).await?.0
    }

    async fn result(
        &self,
        frame: impl FnOnce(u64) -> FromHost,
    ) -> Result<(Result<Bytes, CallError>, Vec<ValueProblem>), CallError> {
        match self.ask(frame).await? {
            Answer::Result(outcome, problems) => Ok((outcome, problems)),
            Answer::Ready | Answer::Healthy(..) => Err(self.confused()),
        }
    }

    /// Sends a request and waits for its answer. Dropping the future cancels it.
    async fn ask(&self, frame: impl FnOnce(u64) -> FromHost) -> Result<Answer, CallError> {
        let pending = self.0.requests.begin(CALLS_MAX).map_err(|full| self.refused(full))?;
        self.wait(pending, frame, true).await
    }

    /// Sends it; `doubts` says whether one that is given up casts doubt on the process.
    async fn wait(
        &self,
        pending: Pending<Answer>,
        frame: impl FnOnce(u64) -> FromHost,
        doubts: bool,
    ) -> Result<Answer, CallError> {
        let id = pending.id();
        let frame = encode(&frame(id))?;
        if let Err(error) = self.0.outbox.send(frame) {
            if error.code() != Code::Busy {
                return Err(self.unsent());
            }
            // It does not read.
            self.0.doubts.send_modify(|all| *all += u64::from(doubts));
            return Err(error);
        }
        let mut cancel = CancelOnDrop { session: self, id, answered: false, doubts };
        let answer = pending.await;
        cancel.answered = true;
        answer.ok_or_else(|| self.gone())
    }

    fn refused(&self, full: bool) -> CallError {
        if !full {
            return self.unsent();
        }
        let text = format!("provider {} has {CALLS_MAX} calls to answer already", self.0.provider);
        CallError::new(Code::Busy, text)
    }

    /// True when no answer can come over it any more.
    pub(super) fn is_over(&self) -> bool {
        self.0.requests.is_closed()
    }

    /// It went away before it was told; another one can be.
    fn unsent(&self) -> CallError {
        CallError::new(Code::Stopping, self.gone().message().to_owned())
    }

    fn gone(&self) -> CallError {
        let why =
            self.0.ended.borrow().clone().unwrap_or_else(|| "the connection ended".to_owned());
        let text = format!("the process of provider {} went away: {why}", self.0.provider);
        CallError::new(Code::Provider, text)
    }

    fn confused(&self) -> CallError {
        let text = format!("the process of provider {} gave the wrong answer", self.0.provider);
        CallError::new(Code::Provider, text)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.outbox.close();
        self.task.abort();
    }
}

/// Tells the process that nobody waits any more, and who watches over it that it gave no answer.
struct CancelOnDrop<'a> {
    session: &'a Session,
    id: u64,
    answered: bool,
    doubts: bool,
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        if !self.answered {
            let inner = &self.session.0;
            drop(encode(&FromHost::Cancel { id: self.id }).and_then(|it| inner.outbox.send(it)));
            if self.doubts {
                inner.doubts.send_modify(|doubts| *doubts += 1);
            }
        }
    }
}

/// Takes what comes from the process.
struct Listener {
    outbox: Outbox,
    requests: Requests<Answer>,
    context: Context,
    log: ProcessLog,
    invokes: Arc<Mutex<HashMap<u64, Invoked>>>,
}

/// A call of the process to an actor.
struct Invoked {
    running: AbortHandle,
    /// Of its request.
    bytes: usize,
}

impl Listener {
    /// Listens until the connection ends; why it did.
    async fn listen(&self, mut frames: Frames<Counted>) -> String {
        let mut under_way = JoinSet::new();
        let drained = self.outbox.drain();
        tokio::pin!(drained);
        loop {
            let frame = tokio::select! {
                frame = frames.next::<FromProvider>(FRAME_BYTES_MAX) => frame,
                ended = &mut drained => return written(ended),
            };
            let taken = match frame {
                Ok(Some(frame)) => self.take(frame, &mut under_way),
                Ok(None) => return "it closed the connection".to_owned(),
                Err(error) if is_end(&error) => return "it closed the connection".to_owned(),
                Err(error) => {
                    let why = heard::line(&error.to_string());
                    return format!("what it sent cannot be read: {why}");
                }
            };
            if let Err(why) = taken {
                return why;
            }
            while under_way.try_join_next().is_some() {}
        }
    }

    fn take(&self, frame: FromProvider, under_way: &mut JoinSet<()>) -> Result<(), String> {
        match frame {
            FromProvider::Ready { id } => self.answer(id, Answer::Ready),
            FromProvider::Result { id, payload, error, problems } => {
                let failed = error.map(|failure| Err(heard::error(failure)));
                let outcome = failed.unwrap_or(Ok(payload.unwrap_or_default()));
                self.answer(id, Answer::Result(outcome, heard::problems(problems)))
            }
            FromProvider::Healthy { id, degraded, addresses, samples } => {
                let (health, samples) = (heard::health(degraded), heard::samples(samples));
                self.answer(id, Answer::Healthy(health, addresses, samples))
            }
            FromProvider::Invoke { id, binding, operation, payload, deadline_ms, trace } => {
                let patience = deadline_ms.map(Duration::from_millis);
                let trace = trace.and_then(|text| Trace::from_traceparent(&text));
                self.invoke(id, Invoke { binding, operation, payload, patience, trace }, under_way)
            }
            FromProvider::Cancel { id } => {
                let invoked = self.invokes.lock().remove(&id);
                invoked.into_iter().for_each(|invoked| invoked.running.abort());
                Ok(())
            }
            FromProvider::Log { level, message } => {
                let mut lines = message.lines();
                lines.by_ref().take(LINES_MAX).for_each(|line| self.log.write(level, line));
                self.log.lose(lines.count());
                Ok(())
            }
            FromProvider::Hello(_) => Err("it said hello twice".to_owned()),
        }
    }

    fn answer(&self, id: u64, answer: Answer) -> Result<(), String> {
        if self.requests.answer(id, answer) || self.requests.is_known(id) {
            return Ok(());
        }
        Err(format!("it answered {id}, which nobody asked"))
    }

    fn invoke(&self, id: u64, invoke: Invoke, under_way: &mut JoinSet<()>) -> Result<(), String> {
        let (context, outbox) = (self.context.clone(), self.outbox.clone());
        let invokes = Arc::clone(&self.invokes);
        // Held until it is listed: it may end before this returns.
        let mut listed = self.invokes.lock();
        if listed.len() >= INVOKES_MAX {
            return Err(format!("it made more than {INVOKES_MAX} calls at once"));
        }
        let bytes = invoke.payload.len();
        if invoke.operation.len() > NAME_BYTES_MAX {
            return Err(format!("the operation it called has more than {NAME_BYTES_MAX} bytes"));
        }
        if listed.contains_key(&id) {
            return Err(format!("it used the id {id} for two calls"));
        }
        if listed.values().map(|it| it.bytes).sum::<usize>() + bytes > INVOKES_BYTES_MAX {
            drop(listed);
            let text = format!("calls of more than {INVOKES_BYTES_MAX} bytes are under way");
            let busy = CallError::new(Code::Busy, text);
            let frame = encode(&FromHost::invoked(id, Err(busy)));
            return frame.and_then(|frame| self.outbox.send(frame)).map_err(|it| it.to_string());
        }
        let running = under_way.spawn(async move {
            let outcome = context.invoke(invoke).await;
            if invokes.lock().remove(&id).is_none() {
                return;
            }
            let frame = encode(&FromHost::invoked(id, outcome))
                .or_else(|error| encode(&FromHost::invoked(id, Err(error))));
            // A process that reads nothing is no longer told anything.
            if frame.and_then(|frame| outbox.send(frame)).is_err() {
                outbox.close();
            }
        });
        listed.insert(id, Invoked { running, bytes });
        Ok(())
    }
}

/// True when the other side is gone, whatever it had not read.
fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

fn written(ended: io::Result<()>) -> String {
    match ended {
        Ok(()) => "it did not read what it was sent".to_owned(),
        Err(error) => format!("nothing can be sent to it: {error}"),
    }
}
