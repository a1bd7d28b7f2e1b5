//! Why something is not as it should be, by what it is.

use std::collections::HashMap;

use trellis_control::{Degraded, Status};

/// What a status says of each thing.
pub(super) struct Reasons<'a> {
    degraded: HashMap<&'a str, Vec<&'a Degraded>>,
    addresses: HashMap<&'a str, Vec<&'a str>>,
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
        Self { degraded, addresses }
    }

    /// What is wrong with any of these, as whoever asks may read it.
    pub(super) fn about(&self, whats: &[String]) -> Vec<Degraded> {
        let rows = whats.iter().filter_map(|what| self.degraded.get(&**what));
        rows.flatten().map(|row| row.told()).collect()
    }

    /// Where an actor takes work from outside.
    pub(super) fn addresses(&self, actor: &str) -> Vec<String> {
        let addresses = self.addresses.get(actor).into_iter().flatten();
        let mut addresses: Vec<_> = addresses.map(|url| (*url).to_owned()).collect();
        addresses.sort();
        addresses
    }
}
