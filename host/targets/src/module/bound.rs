//! Who is bound to a module, as each of its instances has to know it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use trellis_core::{CallError, Code};
use trellis_engine::{Briefing, Known, Notice};
use trellis_providers_sdk::{Binding, BindingId, Context};

use super::messages::{BIND, REMOVE, configuration};
use super::unhandled::Unhandled;
use crate::text::shown;

/// Longest word about its health, in bytes.
const HEALTH_BYTES_MAX: usize = 1 << 10;

/// The bindings of a provider. Its instances are told of them by the engine.
pub(super) struct Bound {
    context: Context,
    unhandled: Unhandled,
    /// Counts what there is to tell. Changed under the lock alone.
    edition: AtomicU64,
    all: Mutex<BTreeMap<BindingId, Entry>>,
}

#[derive(Clone)]
struct Entry {
    binding: Arc<Binding>,
    message: Bytes,
    edition: u64,
    verdict: Verdict,
}

/// What the module says to a binding.
#[derive(Clone, PartialEq, Eq)]
enum Verdict {
    /// No instance was told yet.
    Open,
    Taken,
    /// It is not told again.
    Refused(CallError),
}

/// What a binding was before it was bound anew.
pub(super) struct Before(Option<Entry>);

impl Bound {
    pub(super) fn new(context: Context, unhandled: Unhandled) -> Self {
        Self { context, unhandled, edition: AtomicU64::new(0), all: Mutex::default() }
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
    /// [`Code::Provider`] for one that an instance refused when it was told of it anew.
    pub(super) fn get(&self, id: BindingId) -> Result<Arc<Binding>, CallError> {
        let all = self.all.lock();
        let unknown = || CallError::new(Code::Provider, "the binding is not served any more");
        let entry = all.get(&id).ok_or_else(unknown)?;
        match &entry.verdict {
            Verdict::Refused(error) => {
                Err(CallError::new(Code::Provider, refusal(&entry.binding, error)))
            }
            Verdict::Open | Verdict::Taken => Ok(Arc::clone(&entry.binding)),
        }
    }

    /// Why this one is not served, although it is bound.
    pub(super) fn ailment(&self, id: BindingId) -> Option<String> {
        match self.all.lock().get(&id)? {
            Entry { binding, verdict: Verdict::Refused(error), .. } => {
                Some(shown(&refusal(binding, error), HEALTH_BYTES_MAX))
            }
            _ => None,
        }
    }

    /// What it refuses that it took before.
    pub(super) fn refused(&self) -> Option<String> {
        let all = self.all.lock();
        let refused = all.values().filter_map(|entry| match &entry.verdict {
            Verdict::Refused(error) => Some(refusal(&entry.binding, error)),
            Verdict::Open | Verdict::Taken => None,
        });
        let refused: Vec<_> = refused.collect();
        (!refused.is_empty()).then(|| shown(&refused.join("; "), HEALTH_BYTES_MAX))
    }
}

fn refusal(binding: &Binding, error: &CallError) -> String {
    let Binding { actor_name, contract, name, .. } = binding;
    format!("it refuses {actor_name} to {contract} as {name}: {}", error.message())
}

impl Briefing for Bound {
    #[inline]
    fn edition(&self) -> u64 {
        self.edition.load(Ordering::Acquire)
    }

    fn next(&self, known: &Known) -> Option<Notice> {
        let all = self.all.lock();
        // What is gone comes first: it may hold what another one needs.
        let gone = known.iter().find(|(id, _)| !all.contains_key(&BindingId(**id)));
        if let Some((_, last)) = gone {
            return Some(Notice { edition: None, operation: REMOVE.into(), ..last.clone() });
        }
        let is_known = |id: &BindingId, entry: &Entry| {
            known.get(&id.0).is_some_and(|last| last.edition == Some(entry.edition))
        };
        let news = all.iter().find(|(id, entry)| {
            !is_known(id, entry) && !matches!(entry.verdict, Verdict::Refused(_))
        });
        news.map(|(id, entry)| Notice {
            topic: id.0,
            edition: Some(entry.edition),
            operation: BIND.into(),
            payload: entry.message.clone(),
        })
    }

    fn told(&self, notice: &Notice, answer: Result<(), CallError>) -> bool {
        let verdict = match answer {
            Ok(()) => Verdict::Taken,
            Err(error) if self.unhandled.is_meant(BIND, &error) => Verdict::Taken,
            Err(error) => Verdict::Refused(error),
        };
        let knows = verdict == Verdict::Taken;
        let mut all = self.all.lock();
        let entry = all.get_mut(&BindingId(notice.topic));
        // Nothing that comes of a farewell counts.
        let Some(entry) = entry.filter(|entry| notice.edition == Some(entry.edition)) else {
            return knows;
        };
        let late = matches!(&verdict, Verdict::Refused(error) if error.code() == Code::Timeout);
        if late && entry.verdict == Verdict::Taken {
            // The next one may have more time.
            return false;
        }
        let before = std::mem::replace(&mut entry.verdict, verdict);
        let fails = before == Verdict::Taken && !knows;
        drop(all);
        if fails {
            self.context.health_changed();
        }
        knows
    }
}

#[cfg(test)]
mod tests {
    use trellis_core::{ActorKey, BindingName, ContractId};
    use trellis_providers_sdk::{BoxFuture, Invoke, Invoker, Reply, Values};

    use super::*;

    /// Counts how often the host is to ask how the provider is.
    #[derive(Default)]
    struct Stirred(AtomicU64);

    impl Invoker for Stirred {
        fn invoke(&self, _: Invoke) -> BoxFuture<'_, Reply> {
            Box::pin(async { Ok(Bytes::new()) })
        }

        fn health_changed(&self) {
            // Relaxed: one thread counts.
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn binding(id: u64) -> Binding {
        Binding {
            id: BindingId(id),
            actor: ActorKey::new("M"),
            actor_name: "places".to_owned(),
            contract: ContractId::new("demo:geo"),
            name: BindingName::default(),
            payload_bytes_max: 1,
            values: Values::default(),
        }
    }

    #[test]
    fn what_a_later_instance_refuses_is_out_until_it_is_bound_anew() {
        let stirred = Arc::new(Stirred::default());
        let context = Context::new(Arc::clone(&stirred) as Arc<_>);
        let bound = Bound::new(context, Unhandled::default());
        let mut known = Known::new();
        for id in [1, 2] {
            bound.put(binding(id)).expect("texts");
            let notice = bound.next(&known).expect("it is new");
            assert!(bound.told(&notice, Ok(())));
            known.insert(notice.topic, notice);
        }
        assert!(bound.next(&known).is_none(), "it knows all");
        // Another instance knows nothing yet.
        let known = Known::new();
        let notice = bound.next(&known).expect("it is told of all");
        assert_eq!((notice.topic, &*notice.operation), (1, BIND));
        let refusal = CallError::new(Code::Guest, "no more");
        assert!(!bound.told(&notice, Err(refusal.clone())));
        assert_eq!(bound.next(&known).expect("the other one").topic, 2);
        assert_eq!(bound.get(BindingId(1)).expect_err("it is out").code(), Code::Provider);
        assert!(bound.get(BindingId(2)).is_ok());
        let told = bound.refused().expect("it says so");
        assert!(told.contains("it refuses places to demo:geo as default: no more"), "{told}");
        assert_eq!(stirred.0.load(Ordering::Relaxed), 1);
        // A notice of before says nothing of what is bound since.
        bound.put(binding(1)).expect("texts");
        assert!(!bound.told(&notice, Err(refusal)));
        assert!(bound.get(BindingId(1)).is_ok() && bound.refused().is_none());
    }

    #[test]
    fn who_has_too_little_time_refuses_nothing_that_was_taken() {
        let context = Context::new(Arc::new(Stirred::default()));
        let bound = Bound::new(context, Unhandled::default());
        let late = || Err(CallError::new(Code::Timeout, "late"));
        bound.put(binding(1)).expect("texts");
        let notice = bound.next(&Known::new()).expect("it is new");
        bound.told(&notice, Ok(()));
        bound.told(&notice, late());
        assert_eq!(bound.verdict(BindingId(1)), Some(Ok(())), "the next one is told again");
        bound.put(binding(2)).expect("texts");
        let known = Known::from([(1, notice.clone())]);
        let second = bound.next(&known).expect("it is new");
        bound.told(&second, late());
        assert!(bound.verdict(BindingId(2)).is_some_and(|verdict| verdict.is_err()));
        assert!(bound.next(&known).is_none(), "no other instance hangs over it");
        let gone = Notice { edition: None, ..notice };
        bound.remove(BindingId(1));
        let farewell = bound.next(&Known::from([(1, Notice { edition: Some(1), ..gone })]));
        assert_eq!(&*farewell.expect("it knew of it").operation, REMOVE);
    }
}
