//! How the providers are.

use futures_util::future::join_all;
use trellis_core::BindingId;

use crate::actual::ActualState;
use crate::border::Instance;
use crate::shared::Shared;

/// A provider that is asked how it is for the bindings in force; as a whole when it has none. What
/// a change only tries at it is none of them, and is not its ailment.
struct Asked {
    instance: Instance,
    in_force: Vec<BindingId>,
}

impl Shared {
    /// Asks every provider at once, and says whether any answer is news.
    pub(crate) async fn check_health(&self) -> bool {
        let asked = self.look(|actual| Asked::all(actual)).into_iter().map(|asked| async move {
            let ailments = asked.ailments().await;
            (asked, ailments)
        });
        let mut changed = false;
        for (Asked { instance, .. }, ailments) in join_all(asked).await {
            let ailment = self.look(|actual| {
                // What went meanwhile ails nobody.
                let counts = |id: Option<BindingId>| id.is_none_or(|id| actual.is_in_force(id));
                ailments.into_iter().find(|(id, _)| counts(*id)).map(|(_, why)| why)
            });
            changed |= instance.life().is(ailment);
        }
        changed
    }
}

impl Asked {
    fn all(actual: &ActualState) -> Vec<Self> {
        let mut in_force = actual.in_force();
        let named = actual.providers.values().filter_map(|running| {
            let instance = actual.instances.get(&running.target)?.clone();
            let in_force = in_force.remove(&running.target).unwrap_or_default();
            Some(Self { instance, in_force })
        });
        named.collect()
    }

    /// Why it is not well, and for which binding.
    async fn ailments(&self) -> Vec<(Option<BindingId>, String)> {
        let mut ids = self.in_force.clone();
        if ids.is_empty() {
            return self.instance.ailment().await.into_iter().map(|why| (None, why)).collect();
        }
        // Of several the same is told in every check.
        ids.sort();
        let ailments = self.instance.ailment_of_each(ids.clone()).await;
        let of_each = ids.into_iter().zip(ailments);
        of_each.filter_map(|(id, why)| Some((Some(id), why?))).collect()
    }
}
