//! How the providers are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use trellis_providers_sdk::Health;

use crate::world::RunningProvider;

/// Longest wait for one provider's answer; slower is as good as none.
const HEALTH_ANSWER_MAX: Duration = Duration::from_secs(2);

/// Asks every provider at once and logs only what changed.
pub(crate) async fn check(providers: &mut BTreeMap<Arc<str>, RunningProvider>) {
    let asked = providers.iter_mut().map(|(name, running)| async move {
        let answer = tokio::time::timeout(HEALTH_ANSWER_MAX, running.provider.health()).await;
        let ailment = match answer {
            Ok(Health::Healthy) => None,
            Ok(Health::Degraded(why)) => Some(why),
            Err(_) => Some(format!("no answer within {} ms", HEALTH_ANSWER_MAX.as_millis())),
        };
        report(name, running.ailment.as_deref(), ailment.as_deref());
        running.ailment = ailment;
    });
    futures_util::future::join_all(asked).await;
}

fn report(provider: &str, before: Option<&str>, now: Option<&str>) {
    match (before, now) {
        (None, Some(why)) => tracing::warn!(provider, "degraded: {why}"),
        (Some(_), None) => tracing::info!(provider, "healthy again"),
        _ => {}
    }
}
