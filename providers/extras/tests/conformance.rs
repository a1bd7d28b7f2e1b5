//! The contract's behavior.

use std::sync::Arc;

use trellis_providers_conformance::extras;
use trellis_providers_extras::Extras;
use trellis_providers_sdk::Provider;

#[tokio::test]
async fn from_the_operating_system() {
    let provider: Arc<dyn Provider> = Arc::new(Extras::default());
    extras::run(&provider).await;
}
