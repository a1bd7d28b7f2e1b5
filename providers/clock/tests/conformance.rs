//! The contract's behavior.

use std::sync::Arc;

use trellis_providers_clock::Clock;
use trellis_providers_conformance::clock;
use trellis_providers_sdk::Provider;

#[tokio::test]
async fn of_the_host() {
    let provider: Arc<dyn Provider> = Arc::new(Clock);
    clock::run(&provider).await;
}
