//! Places that those share who ask the admin API: so many in all, few for each user, and some for
//! those who may do more.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use trellis_claims::PublicKey;
use trellis_core::{CallError, Code};
use trellis_limits::Limit;
use trellis_limits::fixed::{ADMIN_CALLS, ADMIN_CALLS_KEPT, ADMIN_CALLS_OF_USER};
use trellis_limits::followed::{STREAMS, STREAMS_KEPT, STREAMS_OF_USER};

/// How places are shared out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shares {
    /// Of all together.
    all: Limit,
    /// Of one user with tokens.
    of_user: Limit,
    /// Kept for tokens for `admin`, and as many again for the host's user.
    kept: Limit,
    /// What takes them, after its number.
    what: &'static str,
}

/// Those of streams.
pub(crate) const OF_STREAMS: Shares =
    Shares { all: STREAMS, of_user: STREAMS_OF_USER, kept: STREAMS_KEPT, what: "streams are open" };
/// Those of calls, which hold payloads.
pub(crate) const OF_CALLS: Shares = Shares {
    all: ADMIN_CALLS,
    of_user: ADMIN_CALLS_OF_USER,
    kept: ADMIN_CALLS_KEPT,
    what: "calls of this API are under way",
};

/// All places of one kind. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Places(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    shares: Shares,
    taken: Mutex<Taken>,
    /// The last one was given back.
    empty: Notify,
}

#[derive(Default, Debug)]
struct Taken {
    all: u64,
    by_user: BTreeMap<PublicKey, u64>,
}

/// Who wants a place.
#[derive(Clone, Debug)]
pub(crate) enum Claimant {
    /// The user of the host.
    Owner,
    /// A user with a token.
    User {
        /// Whose it is: all tokens of a user share.
        key: Box<PublicKey>,
        /// Whether the token is for `admin`.
        is_admin: bool,
    },
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    shared: Arc<Shared>,
    user: Option<PublicKey>,
}

impl Places {
    /// None is taken.
    pub(crate) fn new(shares: Shares) -> Self {
        Self(Arc::new(Shared { shares, taken: Mutex::default(), empty: Notify::new() }))
    }

    /// One more place.
    ///
    /// # Errors
    /// [`Code::Busy`] when there is none for who asks.
    pub(crate) fn admit(&self, claimant: &Claimant) -> Result<Place, CallError> {
        let (user, kept_from) = match claimant {
            Claimant::Owner => (None, 0),
            Claimant::User { key, is_admin: true } => (Some(&**key), 1),
            Claimant::User { key, is_admin: false } => (Some(&**key), 2),
        };
        let Shares { all, of_user, kept, what } = self.0.shares;
        let full = |count: u64, how: &str, limit: Limit| {
            CallError::new(Code::Busy, format!("{count} {what} {how} ({})", limit.name))
        };
        let mut taken = self.0.taken.lock();
        if taken.all >= all.default {
            return Err(full(taken.all, "already", all));
        }
        if taken.all >= all.default.saturating_sub(kept_from * kept.default) {
            return Err(full(taken.all, "already, and the rest is for who may do more", kept));
        }
        if let Some(key) = user {
            let own = taken.by_user.entry(key.clone()).or_default();
            if *own >= of_user.default {
                return Err(full(*own, "for this user already", of_user));
            }
            *own += 1;
        }
        taken.all += 1;
        Ok(Place { shared: Arc::clone(&self.0), user: user.cloned() })
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> u64 {
        self.0.taken.lock().all
    }

    /// Waits until none is.
    pub(crate) async fn empty(&self) {
        loop {
            let empty = self.0.empty.notified();
            tokio::pin!(empty);
            // From here on it is not missed.
            empty.as_mut().enable();
            if self.taken() == 0 {
                return;
            }
            empty.await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.shared.taken.lock();
        taken.all -= 1;
        if let Some(user) = &self.user
            && let Some(own) = taken.by_user.get_mut(user)
        {
            *own -= 1;
            if *own == 0 {
                taken.by_user.remove(user);
            }
        }
        if taken.all == 0 {
            self.shared.empty.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use trellis_claims::{KeyKind, KeyPair};

    use super::*;

    fn user(is_admin: bool) -> Claimant {
        let key = Box::new(KeyPair::generate(KeyKind::User).public().clone());
        Claimant::User { key, is_admin }
    }

    /// Takes all that there is for these, one after the other.
    fn fill(places: &Places, claimants: impl Iterator<Item = Claimant>) -> (Vec<Place>, CallError) {
        let mut open = Vec::new();
        for claimant in claimants {
            match places.admit(&claimant) {
                Ok(place) => open.push(place),
                Err(full) => return (open, full),
            }
        }
        panic!("there is always room: {}", open.len())
    }

    #[test]
    fn one_user_takes_no_more_than_its_share() {
        let (places, one) = (Places::new(OF_STREAMS), user(false));
        let (mut open, full) = fill(&places, std::iter::repeat(one.clone()));
        assert_eq!((open.len() as u64, full.code()), (STREAMS_OF_USER.default, Code::Busy));
        assert!(full.message().contains("streams_of_user_max"), "{full}");
        open.push(places.admit(&user(false)).expect("others have theirs"));
        open.remove(0);
        let again = places.admit(&one).expect("it gave one back");
        assert_eq!(places.taken(), STREAMS_OF_USER.default + 1);
        drop((open, again));
        assert_eq!((places.taken(), places.0.taken.lock().by_user.len()), (0, 0));
    }

    #[test]
    fn however_many_users_there_are_some_places_are_for_who_may_do_more() {
        let places = Places::new(OF_STREAMS);
        let mut open = Vec::new();
        let kept = STREAMS_KEPT.default;
        let users = |is_admin| (0..STREAMS.default).map(|_| user(is_admin)).collect::<Vec<_>>();
        let owners = vec![Claimant::Owner; 1 + STREAMS.default as usize];
        for (claimants, left, name) in [
            (users(false), 2 * kept, STREAMS_KEPT),
            (users(true), kept, STREAMS_KEPT),
            (owners, 0, STREAMS),
        ] {
            let (more, full) = fill(&places, claimants.into_iter());
            open.extend(more);
            assert_eq!(STREAMS.default - places.taken(), left, "{full}");
            assert!(full.message().contains(name.name), "{full}");
        }
    }
}
