//! Why something is not as it should be, by what it is.

use std::collections::HashMap;

use trellis_control::{Condition, Degraded, Status};

use crate::prepare::Stopped;

/// What a status says of each thing.
pub(super) struct Reasons<'a> {
    degraded: HashMap<&'a str, Vec<&'a Degraded>>,
    addresses: HashMap<&'a str, Vec<&'a str>>,
    /// What the change under way waits for.
    pub(super) awaited: Vec<String>,
    /// What is not to run.
    pub(super) stopped: Stopped,
}

impl<'a> Reasons<'a> {
    pub(super) fn of(status: &'a Status) -> Self {
        let mut degraded: HashMap<_, Vec<_>> = HashMap::new();
        for row in &status.degraded {
            degraded.entry(&*row.what).or_default().push(row);
        }
        let mut addresses: HashMap<_, Vec<_>> = HashMap::new();
        for address in &status.addresses {
            addresses.entry(address.actor.as_str()).or_default().push(&*address.url);
        }
        let (awaited, stopped) = (Vec::new(), Stopped::default());
        Self { degraded, addresses, awaited, stopped }
    }

    /// What is wrong with any of these, as whoever asks may read it.
    pub(super) fn about(&self, whats: &[String]) -> Vec<Degraded> {
        let rows = whats.iter().filter_map(|what| self.degraded.get(&**what));
        rows.flatten().map(|row| row.told()).collect()
    }

    /// What something that starts waits for beside itself: what changes together takes over
    /// together.
    pub(super) fn others_awaited(&self, state: Condition, what: &str) -> Vec<String> {
        let others = self.awaited.iter().filter(|awaited| *awaited != what);
        if state == Condition::Starting { others.cloned().collect() } else { Vec::new() }
    }

    /// Where an actor takes work from outside.
    pub(super) fn addresses(&self, actor: &str) -> Vec<String> {
        let addresses = self.addresses.get(actor).into_iter().flatten();
        let mut addresses: Vec<_> = addresses.map(|url| (*url).to_owned()).collect();
        addresses.sort();
        addresses
    }
}
