//! The one list of built-in providers. Adding a capability adds a line here.

use trellis_providers_sdk::Builtin;

/// Every provider this host can run, by the name its descriptor gives.
pub const BUILTINS: &[Builtin] = &[
    trellis_providers_extras::BUILTIN,
    trellis_providers_http_server::BUILTIN,
    trellis_providers_keyvalue_embedded::BUILTIN,
    trellis_providers_keyvalue_redis::BUILTIN,
    trellis_providers_logging::BUILTIN,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::BUILTINS;

    fn names() -> Vec<&'static str> {
        BUILTINS.iter().map(|builtin| (builtin.descriptor)().name).collect()
    }

    #[test]
    fn names_are_unique() {
        let unique: BTreeSet<_> = names().into_iter().collect();
        assert_eq!(unique.len(), BUILTINS.len());
    }

    #[test]
    fn what_the_original_manifests_name_is_here() {
        for (original, builtin) in trellis_manifest::originals::PROVIDERS {
            assert!(names().contains(builtin), "{original} stands for {builtin}");
        }
    }

    #[test]
    fn defaults_are_values_the_provider_itself_accepts() {
        use trellis_providers_sdk::{Values, values::problems};
        for descriptor in BUILTINS.iter().map(|builtin| (builtin.descriptor)()) {
            for setting in descriptor.settings {
                let Some(default) = setting.default else { continue };
                let written: Values =
                    [(setting.key.to_owned(), default.to_owned())].into_iter().collect();
                let wrong = problems(&written, setting.scope, descriptor.settings);
                assert!(wrong.is_empty(), "{}: {wrong:?}", descriptor.name);
            }
        }
    }
}
