//! The one list of built-in providers. Adding a capability adds a line here.

use std::sync::Arc;

use trellis_providers_sdk::ProviderFactory;

/// Every provider this host can run, by the name its descriptor gives.
#[must_use]
pub fn builtins() -> Vec<Arc<dyn ProviderFactory>> {
    vec![
        Arc::new(trellis_providers_clock::Factory),
        Arc::new(trellis_providers_config::Factory),
        Arc::new(trellis_providers_extras::Factory),
        Arc::new(trellis_providers_http_server::Factory),
        Arc::new(trellis_providers_keyvalue_embedded::Factory),
        Arc::new(trellis_providers_keyvalue_redis::Factory),
        Arc::new(trellis_providers_logging::Factory),
        Arc::new(trellis_providers_random::Factory),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use trellis_providers_sdk::{Descriptor, Scope, Values, Wanted, WantedBinding, validate};

    use super::builtins;

    fn descriptors() -> Vec<Descriptor> {
        builtins().iter().map(|factory| factory.descriptor()).collect()
    }

    #[test]
    fn names_are_unique() {
        let unique: BTreeSet<_> = descriptors().into_iter().map(|it| it.name).collect();
        assert_eq!(unique.len(), builtins().len());
    }

    #[test]
    fn what_the_original_manifests_name_is_here() {
        for (original, builtin) in trellis_manifest::originals::PROVIDERS {
            let known = descriptors().iter().any(|descriptor| descriptor.name == *builtin);
            assert!(known, "{original} stands for {builtin}");
        }
    }

    #[tokio::test]
    async fn defaults_are_values_the_provider_itself_accepts() {
        for factory in builtins() {
            let descriptor = factory.descriptor();
            let defaults = |scope| -> Values {
                let here = descriptor.settings.iter().filter(|setting| setting.stands_at(scope));
                here.filter_map(|setting| {
                    Some((setting.key.to_string(), setting.default.as_ref()?.to_string()))
                })
                .collect()
            };
            let binding = WantedBinding {
                actor: "actor".to_owned(),
                contract: descriptor.contracts[0].id.clone(),
                name: trellis_core::BindingName::default(),
                values: defaults(Scope::Binding),
            };
            let (values, bindings) = (defaults(Scope::Provider), vec![binding]);
            let wanted = Wanted { values, bindings, ..Wanted::default() };
            let wrong = validate::problems(&*factory, &wanted).await.expect("it says");
            assert!(wrong.is_empty(), "{}: {wrong:?}", descriptor.name);
        }
    }

    #[test]
    fn every_descriptor_survives_json_and_messagepack() {
        for descriptor in descriptors() {
            let json = serde_json::to_string(&descriptor).expect("it is data");
            let back: Descriptor = serde_json::from_str(&json).expect("it reads back");
            assert_eq!(back, descriptor);
            let packed = trellis_core::wire::encode(&descriptor).expect("it is data");
            let back: Descriptor = trellis_core::wire::decode(&packed).expect("it reads back");
            assert_eq!(back, descriptor);
        }
    }
}
