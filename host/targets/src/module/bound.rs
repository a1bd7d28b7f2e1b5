//! Who is bound to a module, as each of its instances has to know it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;
use trellis_core::{CallError, Code};
use trellis_engine::{Briefing, Known, Notice, Occasion};
use trellis_providers_sdk::{Binding, BindingId, Context};

use super::messages::{BIND, REMOVE, configuration};
use super::topic::{binding_of, topic};
use super::unhandled::Unhandled;
use super::untold::Untold;
use crate::text::shown;

/// Longest word about its health, in bytes.
const HEALTH_BYTES_MAX: usize = 1 << 10;

/// The bindings of a provider. Its instances are told of them by the engine.
pub(super) struct Bound {
    context: Context,
    unhandled: Unhandled,
    /// After that many back-offs, what cannot be told is only tried once a minute.
    backoffs_max: u32,
    /// Counts what there is to tell. Changed under the lock alone.
    edition: AtomicU64,
    all: Mutex<BTreeMap<BindingId, Entry>>,
    /// Something could not be told.
    untold: Notify,
}

struct Entry {
    binding: Arc<Binding>,
    message: Bytes,
    edition: u64,
    verdict: Verdict,
}

/// What the module says to a binding.
enum Verdict {
    /// No instance was told yet.
    Open,
    Taken,
    /// It said so, or broke over one that it never had. It is not told again.
    Refused(CallError),
    /// It took it, and a later instance broke over it or did not answer. It is told again.
    Untold(Untold),
}

impl Verdict {
    const fn is_taken(&self) -> bool {
        matches!(self, Self::Taken)
    }

    /// What it is after it was told once more.
    fn then(self, answer: Result<(), CallError>, backoffs_max: u32) -> Self {
        let Err(error) = answer else { return Self::Taken };
        match self {
            // Its own word counts.
            Self::Taken | Self::Untold(_) if error.code() == Code::Guest => Self::Refused(error),
            Self::Taken => Self::Untold(Untold::new(error, backoffs_max, Instant::now())),
            Self::Untold(untold) => Self::Untold(untold.again(error, Instant::now())),
            Self::Open | Self::Refused(_) => Self::Refused(error),
        }
    }
}

/// What a binding was before it was bound anew.
pub(super) struct Before(Option<Entry>);

impl Bound {
    pub(super) fn new(context: Context, unhandled: Unhandled, backoffs_max: u32) -> Self {
        let (edition, all, untold) = (AtomicU64::new(0), Mutex::default(), Notify::new());
        Self { context, unhandled, backoffs_max, edition, all, untold }
    }

    /// There is something new to tell; the lock of `all` is held.
    fn next_edition(&self) -> u64 {
        // `Release`, with the `Acquire` in `edition`: who sees the number finds what it counts. The
        // lock makes sure of that anyway.
        self.edition.fetch_add(1, Ordering::Release) + 1
    }

    /// A binding is to be served. Gives what [`take_back`](Self::take_back) needs.
    ///
    /// # Errors
    /// When its message cannot be written.
    pub(super) fn put(&self, binding: Binding) -> Result<Before, CallError> {
        let (id, message) = (binding.id, configuration(&binding)?);
        let mut all = self.all.lock();
        let edition = self.next_edition();
        let entry = Entry { binding: Arc::new(binding), message, edition, verdict: Verdict::Open };
        Ok(Before(all.insert(id, entry)))
    }

    /// What came of that, once an instance was briefed: nothing when none was told of it.
    pub(super) fn verdict(&self, id: BindingId) -> Option<Result<(), CallError>> {
        match &self.all.lock().get(&id)?.verdict {
            Verdict::Open => None,
            Verdict::Taken => Some(Ok(())),
            Verdict::Refused(error) => Some(Err(error.clone())),
            Verdict::Untold(untold) => Some(Err(untold.why().clone())),
        }
    }

    /// It is as before. Instances are told that once more: they may have begun to change.
    pub(super) fn take_back(&self, id: BindingId, before: Before) {
        let mut all = self.all.lock();
        let edition = self.next_edition();
        match before.0 {
            Some(entry) => drop(all.insert(id, Entry { edition, ..entry })),
            None => drop(all.remove(&id)),
        }
    }

    /// It is no longer served; true when it was.
    pub(super) fn remove(&self, id: BindingId) -> bool {
        let mut all = self.all.lock();
        let known = all.remove(&id).is_some();
        if known {
            self.next_edition();
        }
        known
    }

    /// A binding that is served.
    ///
    /// # Errors
    /// [`Code::Provider`] for one that an instance refused when it was told of it anew, or could
    /// not be told of.
    pub(super) fn get(&self, id: BindingId) -> Result<Arc<Binding>, CallError> {
        let all = self.all.lock();
        let unknown = || CallError::new(Code::Provider, "the binding is not served any more");
        let entry = all.get(&id).ok_or_else(unknown)?;
        match entry.ailment() {
            Some(why) => Err(CallError::new(Code::Provider, why)),
            None => Ok(Arc::clone(&entry.binding)),
        }
    }

    /// Why this one is not served, although it is bound.
    pub(super) fn ailment(&self, id: BindingId) -> Option<String> {
        let why = self.all.lock().get(&id)?.ailment()?;
        Some(shown(&why, HEALTH_BYTES_MAX))
    }

    /// What it took before and does not serve now, and why.
    pub(super) fn ailments(&self) -> Option<String> {
        let all: Vec<_> = self.all.lock().values().filter_map(Entry::ailment).collect();
        (!all.is_empty()).then(|| shown(&all.join("; "), HEALTH_BYTES_MAX))
    }

    /// Waits until something that could not be told is to be told again.
    pub(super) async fn due(&self) -> Vec<BindingId> {
        loop {
            let next = {
                let (all, now) = (self.all.lock(), Instant::now());
                let waiting = || all.iter().filter_map(|(id, entry)| Some((id, entry.until()?)));
                let due: Vec<_> =
                    waiting().filter(|(_, until)| *until <= now).map(|(id, _)| *id).collect();
                if !due.is_empty() {
                    return due;
                }
                waiting().map(|(_, until)| until).min()
            };
            let another = self.untold.notified();
            match next {
                None => another.await,
                Some(until) => drop(tokio::time::timeout_at(until.into(), another).await),
            }
        }
    }

    /// Tries later what was due, when nothing came of any of it: there was no instance.
    pub(super) fn put_off_all_of(&self, due: &[BindingId], why: Option<CallError>) {
        let (mut all, now) = (self.all.lock(), Instant::now());
        let is_due = |entry: &Entry| entry.until().is_some_and(|until| until <= now);
        if !due.iter().all(|id| all.get(id).is_some_and(is_due)) {
            return;
        }
        let nobody = || CallError::new(Code::Provider, "no instance was told of it");
        let why = why.unwrap_or_else(nobody);
        for id in due {
            if let Some(Entry { verdict: Verdict::Untold(untold), .. }) = all.get_mut(id) {
                untold.put_off(why.clone(), now);
            }
        }
    }
}

impl Entry {
    /// Why it is not served, although it is bound.
    fn ailment(&self) -> Option<String> {
        let Binding { actor_name, contract, name, .. } = &*self.binding;
        let binding = format!("{actor_name} to {contract} as {name}");
        match &self.verdict {
            Verdict::Open | Verdict::Taken => None,
            Verdict::Refused(error) => Some(format!("it refuses {binding}: {}", error.message())),
            Verdict::Untold(untold) => Some(format!(
                "it could not be told of {binding}, and is told again: {}",
                untold.why()
            )),
        }
    }

    /// When it is to be told again, if it could not be told.
    const fn until(&self) -> Option<Instant> {
        match &self.verdict {
            Verdict::Untold(untold) => Some(untold.until()),
            _ => None,
        }
    }

    /// True when an instance that does not know it is told of it. A call is only kept waiting for
    /// what another instance had no difficulty with.
    fn is_told(&self, occasion: Occasion) -> bool {
        match &self.verdict {
            Verdict::Taken => true,
            Verdict::Open => occasion == Occasion::Aside,
            Verdict::Untold(untold) => {
                occasion == Occasion::Aside && untold.until() <= Instant::now()
            }
            Verdict::Refused(_) => false,
        }
    }
}

impl Briefing for Bound {
    #[inline]
    fn edition(&self) -> u64 {
        self.edition.load(Ordering::Acquire)
    }

    fn next(&self, known: &Known, occasion: Occasion) -> Option<Notice> {
        let all = self.all.lock();
        // What is gone comes first: it may hold what another one needs.
        let gone = known.iter().find(|(told, _)| !all.contains_key(&binding_of(**told)));
        if let Some((_, last)) = gone {
            return Some(Notice { edition: None, operation: REMOVE.into(), ..last.clone() });
        }
        let is_known = |id: &BindingId, entry: &Entry| {
            known.get(&topic(*id)).is_some_and(|last| last.edition == Some(entry.edition))
        };
        let news = all.iter().find(|(id, entry)| !is_known(id, entry) && entry.is_told(occasion));
        news.map(|(id, entry)| Notice {
            topic: topic(*id),
            edition: Some(entry.edition),
            operation: BIND.into(),
            payload: entry.message.clone(),
        })
    }

    fn told(&self, notice: &Notice, answer: Result<(), CallError>) -> bool {
        let answer =
            answer.or_else(
                |error| {
                    if self.unhandled.is_meant(BIND, &error) { Ok(()) } else { Err(error) }
                },
            );
        let knows = answer.is_ok();
        let mut all = self.all.lock();
        let entry = all.get_mut(&binding_of(notice.topic));
        // Nothing that comes of a farewell counts.
        let Some(entry) = entry.filter(|entry| notice.edition == Some(entry.edition)) else {
            return knows;
        };
        let before = std::mem::replace(&mut entry.verdict, Verdict::Open);
        let (was_open, was_served) = (matches!(before, Verdict::Open), before.is_taken());
        entry.verdict = before.then(answer, self.backoffs_max);
        let is_served = entry.verdict.is_taken();
        if is_served && !was_served {
            // The other instances may be told of it now.
            self.next_edition();
        }
        if entry.until().is_some() {
            // Whichever instance comes next is told, also one that knew it before.
            entry.edition = self.next_edition();
            self.untold.notify_one();
        }
        drop(all);
        if was_served != is_served && !was_open {
            self.context.health_changed();
        }
        knows
    }
}

#[cfg(test)]
mod tests;
