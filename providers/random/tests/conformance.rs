//! The contract's behavior.

use std::sync::Arc;

use trellis_providers_conformance::random;
use trellis_providers_random::Random;
use trellis_providers_sdk::Provider;

#[tokio::test]
async fn from_the_operating_system() {
    let provider: Arc<dyn Provider> = Arc::new(Random);
    random::run(&provider).await;
}
