//! How the providers are.

use std::sync::Arc;

use futures_util::future::join_all;
use trellis_core::BindingId;
use trellis_entitlements::TargetId;

use crate::actual::ActualState;
use crate::border::Instance;
use crate::shared::Shared;

/// A provider that is asked how it is for the bindings in force; as a whole when it has none. What
/// a change only tries at it is none of them, and is not its ailment.
struct Asked {
    name: Arc<str>,
    target: TargetId,
    instance: Instance,
    in_force: Vec<BindingId>,
}

impl Shared {
    /// Asks every provider at once, logs what changed, and says whether anything did.
    pub(crate) async fn check_health(&self) -> bool {
        let asked = self.look(|actual| Asked::all(actual)).into_iter().map(|asked| async move {
            let ailments = asked.ailments().await;
            (asked, ailments)
        });
        let mut changed = false;
        for (Asked { name, target, instance, .. }, ailments) in join_all(asked).await {
            self.look(|actual| {
                // What went meanwhile ails nobody.
                let counts = |id: Option<BindingId>| id.is_none_or(|id| actual.is_in_force(id));
                let ailment = ailments.into_iter().find(|(id, _)| counts(*id)).map(|(_, why)| why);
                // What one instance says is no news of the one that took its place meanwhile.
                let serves = actual.instances.get(&target).is_some_and(|now| now.is(&instance));
                let running = actual.providers.get_mut(&name);
                let Some(running) = running.filter(|known| serves && known.target == target) else {
                    return;
                };
                report(&name, running.ailment.as_deref(), ailment.as_deref());
                changed |= running.ailment != ailment;
                running.ailment = ailment;
            });
        }
        changed
    }
}

impl Asked {
    fn all(actual: &ActualState) -> Vec<Self> {
        let mut in_force = actual.in_force();
        let named = actual.providers.iter().filter_map(|(name, running)| {
            let target = running.target;
            let instance = actual.instances.get(&target)?.clone();
            let in_force = in_force.remove(&target).unwrap_or_default();
            Some(Self { name: Arc::clone(name), target, instance, in_force })
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

fn report(provider: &str, before: Option<&str>, now: Option<&str>) {
    match (before, now) {
        (None, Some(why)) => tracing::warn!(provider, "degraded: {why}"),
        (Some(_), None) => tracing::info!(provider, "healthy again"),
        _ => {}
    }
}
