//! Whether a binding goes over to where it has no keys: a reload that names another `PATH`,
//! `NAMESPACE` or provider takes those it has out of sight, and a mistyped one looks like a store
//! that lost everything.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use trellis_core::CallError;
use trellis_providers_sdk::Binding;

use crate::namespace::Namespace;
use crate::store::{Store, WeakStore};

/// Longest that one store looks at what it and others hold, for all bindings together: neither a
/// disk that hangs nor ten thousand bindings hold up a change.
const LOOK_MAX: Duration = Duration::from_secs(1);

/// Most bindings that one store tells of by name.
const TOLD_MAX: usize = 20;

/// Fewest places that are worth a look for those that are gone.
const PLACES_MIN: usize = 64;

const LEAVES_FILE: &str = "the binding goes over to a store that holds no keys for it; those it has stay in the file as \
     they are; to go on with them, name the file by PATH again, or bind to a provider that does, \
     with the NAMESPACE or SHARED of before";
const LEAVES_MEMORY: &str = "the binding goes over to a store that holds no keys for it; those it has are in memory and \
     end with their store, so they are most likely lost; if the provider that has them still runs \
     without PATH, bind to it again to go on with them, with the NAMESPACE or SHARED of before";
const STAYS_IN_FILE: &str = "the binding goes over to a namespace that holds no keys; those of the one before stay in the \
     file as they are; to go on with them, give the NAMESPACE or SHARED of before again";
const STAYS_IN_MEMORY: &str = "the binding goes over to a namespace that holds no keys; those of the one before stay in \
     memory for as long as the provider runs; to go on with them, give the NAMESPACE or SHARED of \
     before again";

/// A binding, whatever its id: that changes when it goes over to another provider. The host, the
/// actor's key and the binding's name.
type Bound = (String, String, String);

static PLACES: LazyLock<Mutex<Places>> = LazyLock::new(Mutex::default);

/// Where bindings have their keys.
#[derive(Default)]
struct Places {
    of: HashMap<Bound, (WeakStore, Namespace)>,
    /// How many of them there were when those that are gone were last taken out.
    kept: usize,
}

impl Places {
    /// The binding has its keys there from now on: where it had them before.
    fn put(&mut self, bound: Bound, place: (WeakStore, Namespace)) -> Option<(Store, Namespace)> {
        // Only when they have doubled, so that a bind need not look at all the others.
        if self.of.len() >= PLACES_MIN.max(2 * self.kept) {
            self.of.retain(|_, (store, _)| !store.is_gone());
            self.kept = self.of.len();
        }
        let (store, space) = self.of.insert(bound, place)?;
        Some((store.upgrade()?, space))
    }
}

/// A binding that goes over to another store, or to another namespace.
pub(crate) struct Move {
    /// The actor's name, for the log.
    pub(crate) name: String,
    /// The actor's key.
    pub(crate) actor: String,
    pub(crate) from: (Store, Namespace),
    pub(crate) to: (Store, Namespace),
}

/// What is told of a binding that leaves its keys behind.
struct Message {
    actor: String,
    from: String,
    to: String,
    text: &'static str,
}

/// A binding has its keys in this place from now on. Gives its move there when it had them
/// elsewhere, in a store that is still open.
pub(crate) fn goes_to(host: &str, binding: &Binding, to: (&Store, &Namespace)) -> Option<Move> {
    if host.is_empty() {
        return None;
    }
    let (store, space) = to;
    let bound = (host.to_owned(), binding.actor.to_string(), binding.name.to_string());
    let from = PLACES.lock().put(bound, (store.downgrade(), space.clone()))?;
    if from.0.is_same_as(store) && from.1.name == space.name {
        return None;
    }
    let (name, actor) = (binding.actor_name.clone(), binding.actor.to_string());
    Some(Move { name, actor, from, to: (store.clone(), space.clone()) })
}

impl Move {
    /// What to tell: something when keys are left behind, and there are none where it goes.
    async fn message(self) -> Result<Option<Message>, CallError> {
        let (from, to) = (&self.from, &self.to);
        if !from.0.holds(&from.1).await? || to.0.holds(&to.1).await? {
            return Ok(None);
        }
        let stays = from.0.is_same_as(&to.0);
        let text = match (&from.0, stays) {
            (Store::File(_), false) => LEAVES_FILE,
            (Store::Memory(_), false) => LEAVES_MEMORY,
            (Store::File(_), true) => STAYS_IN_FILE,
            (Store::Memory(_), true) => STAYS_IN_MEMORY,
        };
        let [mut shown_from, mut shown_to] = [from, to].map(|place| shown(&place.0));
        // Two files that are in use never have one path.
        if !stays && shown_from == shown_to {
            shown_to.push_str(" of another provider");
        }
        if from.1.name != to.1.name {
            shown_from.push_str(&self.shown_space(&from.1));
            shown_to.push_str(&self.shown_space(&to.1));
        }
        Ok(Some(Message { actor: self.name, from: shown_from, to: shown_to, text }))
    }

    fn shown_space(&self, space: &Namespace) -> String {
        match &*space.name {
            "" => ", the namespace shared by all".to_owned(),
            own if own == self.actor => ", the actor's own namespace".to_owned(),
            name => format!(", namespace `{name}`"),
        }
    }
}

fn shown(store: &Store) -> String {
    match store {
        Store::Memory(_) => "memory".to_owned(),
        Store::File(file) => format!("`{}`", file.path().display()),
    }
}

/// What one store told and looked at.
#[derive(Default)]
pub(crate) struct Told {
    /// How many bindings it told of.
    count: AtomicUsize,
    /// How long it looked, in microseconds.
    looked_us: AtomicU64,
}

impl Told {
    /// Says so when the binding leaves keys behind and there are none where it goes; says nothing
    /// when a look at the stores fails or takes too long.
    pub(crate) async fn tell_of(&self, moved: Move) {
        // Relaxed, here and below: numbers and no more. What would not be told is not looked at.
        let looked = Duration::from_micros(self.looked_us.load(Ordering::Relaxed));
        if self.count.load(Ordering::Relaxed) > TOLD_MAX || looked >= LOOK_MAX {
            return;
        }
        let began = Instant::now();
        let looked = tokio::time::timeout(LOOK_MAX - looked, moved.message()).await;
        let taken = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.looked_us.fetch_add(taken, Ordering::Relaxed);
        let Ok(Ok(Some(Message { actor, from, to, text }))) = looked else { return };
        match self.count.fetch_add(1, Ordering::Relaxed) {
            before if before < TOLD_MAX => tracing::warn!(%actor, %from, %to, "{text}"),
            TOLD_MAX => tracing::warn!(
                %to,
                "and others: more bindings go over to where they have no keys, and are not named"
            ),
            _ => {}
        }
    }
}
