//! The places of made-up servers: each has one binding at most, as an address with its path does.

use std::collections::{BTreeMap, HashSet};

use parking_lot::Mutex;
use trellis_core::{BindingId, CallError, Code};
use trellis_providers_sdk::{Binding, Newcomer};

/// By server and place.
#[derive(Default)]
pub(crate) struct Places(Mutex<BTreeMap<(String, String), (String, BindingId)>>);

impl Places {
    pub(crate) fn at(&self, server: &str, place: &str) -> Option<(String, BindingId)> {
        self.0.lock().get(&(server.to_owned(), place.to_owned())).cloned()
    }

    /// What comes of newcomers to a server. What one of them has counts as free while that one is
    /// not refused.
    pub(crate) fn weigh(
        &self,
        server: &str,
        (newcomers, leaving): (&[Newcomer], &[BindingId]),
        refuses: impl Fn(&str) -> bool,
    ) -> Vec<Result<(), CallError>> {
        let mut bound = vec![Ok(()); newcomers.len()];
        loop {
            let coming = newcomers.iter().zip(&bound).filter(|(_, bound)| bound.is_ok());
            let replaced = coming.filter_map(|(newcomer, _)| newcomer.replaces);
            let going: HashSet<_> = replaced.chain(leaving.iter().copied()).collect();
            let before = bound.iter().filter(|bound| bound.is_ok()).count();
            for (newcomer, bound) in newcomers.iter().zip(&mut bound) {
                let Some(place) = newcomer.binding.values.get("PLACE") else { continue };
                let holder = self.at(server, place).map(|(_, id)| id);
                let stays = |id: &BindingId| !going.contains(id) && *id != newcomer.binding.id;
                if bound.is_ok() && (refuses(place) || holder.as_ref().is_some_and(stays)) {
                    *bound = Err(CallError::new(Code::Config, format!("{place} is taken")));
                }
            }
            if bound.iter().filter(|bound| bound.is_ok()).count() == before {
                return bound;
            }
        }
    }

    /// A binding has its place, and no other one.
    pub(crate) fn take(&self, server: &str, binding: Binding) {
        self.leave(server, binding.id);
        let Some(place) = binding.values.get("PLACE") else { return };
        let place = (server.to_owned(), place.to_owned());
        self.0.lock().insert(place, (binding.actor_name, binding.id));
    }

    pub(crate) fn leave(&self, server: &str, id: BindingId) {
        self.0.lock().retain(|(at, _), (_, holder)| at != server || *holder != id);
    }
}
