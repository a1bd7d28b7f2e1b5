//! The contract's behavior, over real sockets.

use std::sync::Arc;

use trellis_providers_conformance::http_server::{self, Subject};
use trellis_providers_conformance::suite::values;
use trellis_providers_http_server::Factory;
use trellis_providers_sdk::ProviderFactory;

#[tokio::test]
async fn over_http_1() {
    let subject = Subject {
        make: Arc::new(|context| {
            Box::pin(async {
                Factory.create(context, values(&[])).await.expect("the provider starts")
            })
        }),
        values: values(&[("ADDRESS", "127.0.0.1"), ("PORT", "0")]),
    };
    http_server::run(&subject).await;
}
