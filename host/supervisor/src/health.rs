//! How the providers are.

use std::sync::Arc;

use futures_util::future::join_all;

use crate::shared::Shared;

impl Shared {
    /// Asks every provider at once, logs what changed, and says whether anything did.
    pub(crate) async fn check_health(&self) -> bool {
        let serving: Vec<_> = self.look(|actual| {
            let named = actual.providers.iter();
            let instance = |(name, running): (&Arc<str>, &crate::actual::RunningProvider)| {
                let instance = actual.instances.get(&running.target)?.clone();
                Some((Arc::clone(name), running.target, instance))
            };
            named.filter_map(instance).collect()
        });
        let asked = serving.into_iter().map(|(name, target, instance)| async move {
            let ailment = instance.ailment().await;
            (name, target, instance, ailment)
        });
        let mut changed = false;
        for (name, target, asked, ailment) in join_all(asked).await {
            self.look(|actual| {
                // What one instance says is no news of the one that took its place meanwhile.
                let serves = actual.instances.get(&target).is_some_and(|now| now.is(&asked));
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

fn report(provider: &str, before: Option<&str>, now: Option<&str>) {
    match (before, now) {
        (None, Some(why)) => tracing::warn!(provider, "degraded: {why}"),
        (Some(_), None) => tracing::info!(provider, "healthy again"),
        _ => {}
    }
}
