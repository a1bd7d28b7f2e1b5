//! Has the providers that bring calls in reserve what they need, before anything takes over.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use trellis_core::CallError;

use super::Change;
use super::bind::{Fresh, NewBinding};
use super::intake::Asked;
use super::make::Made;
use super::outlets::tell;

impl Change {
    /// Gives up beforehand what is refused: with a version that was to replace another all that it
    /// has. What is given up leaves in force what it was to replace, which may be in the way of
    /// others; so they are asked until nobody refuses anything. By then all is reserved, and
    /// whatever one of them lets go of afterwards another one has at once.
    pub(super) async fn weigh_intake(&mut self, made: &mut Made, fresh: &mut Fresh) {
        loop {
            let refused = self.refused_intake(fresh).await;
            // One that did not answer in time may have it by now.
            self.shared.tell_unbound(refused.iter().map(|(new, _)| new.undo()).collect());
            if refused.is_empty() {
                let kept = self.tell_staying(made, fresh).await;
                if kept.is_empty() {
                    return;
                }
                self.tell_outlets(made, fresh, |new| kept.contains(&new.provider.name)).await;
            }
            for (new, error) in refused {
                self.give_up(&new, error, made, fresh);
            }
        }
    }

    /// Has providers reserve what they need; takes out what they refuse.
    async fn refused_intake(&self, fresh: &mut Fresh) -> Vec<(NewBinding, CallError)> {
        if fresh.intake.is_empty() {
            return Vec::new();
        }
        let mut leaving = self.leaving(&fresh.intake);
        // They go with the version before.
        let unwanted = self.unwanted(true);
        self.shared.look(|actual| {
            leaving.extend(unwanted.iter().filter_map(|key| actual.current.get(key)));
        });
        let answers = self.ask(&fresh.intake, &leaving, Asked::Beforehand).await;
        let (mut well, mut refused) = (Vec::new(), Vec::new());
        for (new, answer) in std::mem::take(&mut fresh.intake).into_iter().zip(answers) {
            match answer {
                Ok(()) => well.push(new),
                Err(error) => refused.push((new, error)),
            }
        }
        fresh.intake = well;
        refused
    }

    /// Tells successors also of what is served on because its replacement was given up. Gives the
    /// names of those that refuse it, and do not take over.
    async fn tell_staying(&mut self, made: &mut Made, fresh: &mut Fresh) -> BTreeSet<Arc<str>> {
        let replaced = fresh.replaced();
        let mut refused = BTreeMap::new();
        for (name, one) in made.providers.iter_mut().filter(|(_, one)| one.succeeds) {
            let told: HashSet<_> = one.told.iter().copied().collect();
            let mut serves = self.serves((one.target, &one.prepared), &replaced);
            serves.retain(|(binding, _)| !told.contains(&binding.id));
            match tell(&one.instance, &serves, (Vec::new(), Asked::ForGood)).await {
                Ok(()) => one.told.extend(serves.iter().map(|(binding, _)| binding.id)),
                Err(error) => drop(refused.insert(Arc::clone(name), error)),
            }
        }
        let names = refused.keys().cloned().collect();
        for (name, error) in refused {
            self.keep_old(&name, error, made, fresh).await;
        }
        names
    }
}
