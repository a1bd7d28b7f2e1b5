//! The contract's behavior.

use std::sync::Arc;

use trellis_providers_conformance::random;
use trellis_providers_random::Random;
use trellis_providers_sdk::Provider;

#[tokio::test]
async fn from_the_operating_system() {
    let provider: Arc<dyn Provider> = Arc::new(Random::default());
    random::run(&provider).await;
    let samples: Vec<_> = provider.samples().iter().map(ToString::to_string).collect();
    // The suite asks for more than the bound twice.
    assert_eq!(samples, ["random_refused_total{limit=\"BYTES_MAX\"} 2"]);
}
