//! Descriptors of providers that are no part of the host: a program's, or a module's.

use trellis_providers_sdk::Descriptor;

/// Most contracts of one provider.
const CONTRACTS_MAX: usize = 64;
/// Most operations of one contract, and most settings of one provider.
const PARTS_MAX: usize = 1_000;
/// Longest name of anything in a descriptor, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// What of its descriptor no host can work with; nothing is believed to be short, or to be a name.
pub(crate) fn wrong_with(descriptor: &Descriptor) -> Option<String> {
    let count = descriptor.contracts.len();
    if !(1..=CONTRACTS_MAX).contains(&count) {
        return Some(format!("it serves {count} contracts; 1 to {CONTRACTS_MAX} are possible"));
    }
    if descriptor.implicit || descriptor.actor_values {
        return Some("only a built-in provider binds itself or is given actors' values".to_owned());
    }
    let contracts = || descriptor.contracts.iter();
    let largest = contracts().map(|it| it.operations.len().max(it.aliases.len())).max();
    if largest.unwrap_or_default().max(descriptor.settings.len()) > PARTS_MAX {
        return Some(format!("its descriptor has more than {PARTS_MAX} of a kind"));
    }
    let ids = contracts().flat_map(|it| std::iter::once(&it.id).chain(it.aliases.iter()));
    let operations = contracts().flat_map(|it| it.operations.iter()).map(|it| &*it.name);
    let names = ids.map(|id| id.as_str()).chain(operations);
    let names =
        names.chain(descriptor.settings.iter().map(|it| &*it.key)).chain([&*descriptor.name]);
    let bad = |name: &str| {
        name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains(char::is_control)
    };
    { names }.find(|name| bad(name)).map(|name| {
        format!("its descriptor has a name that is none: {:?}", name.get(..40).unwrap_or(name))
    })
}
