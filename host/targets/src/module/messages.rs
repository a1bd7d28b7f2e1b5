//! What the host says to a module that is a provider. Source: waSCC 0.7 to 0.14, wasmCloud to 0.18.

use bytes::Bytes;
use serde::Serialize;
use trellis_core::{CallError, wire};
use trellis_providers_sdk::{Binding, Values};

/// An actor is bound, or its values changed.
pub(super) const BIND: &str = "BindActor";
/// An actor is no longer bound.
pub(super) const REMOVE: &str = "RemoveActor";
/// What do you serve?
pub(super) const DESCRIBE: &str = "GetCapabilityDescriptor";

/// Operations between host and provider, which no actor may ask for whatever a descriptor lists.
pub(super) const OF_THE_HOST: &[&str] = &[
    BIND,
    REMOVE,
    DESCRIBE,
    "Configure",
    "HealthRequest",
    "IdentifyCapability",
    "Initialize",
    "PerformLiveUpdate",
    "__halt",
];

/// The message of [`BIND`] and [`REMOVE`].
#[derive(Serialize)]
struct CapabilityConfiguration<'a> {
    /// The actor's key.
    module: &'a str,
    values: &'a Values,
}

/// The message of [`DESCRIBE`].
#[derive(Serialize)]
struct Question {
    placeholder: bool,
}

/// What a provider is told of a binding.
///
/// # Errors
/// [`trellis_core::Code::Message`] when it cannot be written; texts always can.
pub(super) fn configuration(binding: &Binding) -> Result<Bytes, CallError> {
    let Binding { actor, values, .. } = binding;
    let message = CapabilityConfiguration { module: actor.as_str(), values };
    wire::encode(&message).map(Bytes::from)
}

/// What a provider is asked about itself.
///
/// # Errors
/// As [`configuration`].
pub(super) fn question() -> Result<Bytes, CallError> {
    wire::encode(&Question { placeholder: false }).map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use trellis_core::{ActorKey, BindingId, BindingName, ContractId};

    use super::*;

    /// Bytes as modules of 2020 have always read them.
    #[test]
    fn messages_are_those_of_wascc() {
        let binding = Binding {
            id: BindingId(7),
            actor: ActorKey::new("MABC"),
            actor_name: "places".to_owned(),
            contract: ContractId::new("demo:geo"),
            name: BindingName::default(),
            payload_bytes_max: 1,
            values: [("B", "2"), ("A", "1")]
                .map(|(key, text)| (key.to_owned(), text.to_owned()))
                .into_iter()
                .collect(),
        };
        let written = configuration(&binding).expect("texts");
        assert_eq!(&*written, b"\x82\xa6module\xa4MABC\xa6values\x82\xa1A\xa11\xa1B\xa12");
        assert_eq!(&*question().expect("a flag"), b"\x81\xabplaceholder\xc2");
    }
}
