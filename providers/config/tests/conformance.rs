//! The contract's behavior.

use std::sync::Arc;

use trellis_providers_config::Config;
use trellis_providers_conformance::config;
use trellis_providers_sdk::Provider;

#[tokio::test]
async fn of_the_manifest() {
    let provider: Arc<dyn Provider> = Arc::new(Config::default());
    config::run(&provider).await;
}
