//! One actor's use of one provider.

use serde::{Deserialize, Serialize};
use trellis_core::{ActorKey, BindingId, BindingName, ContractId};

use crate::values::Values;

/// A binding on its way in, for [`Provider::bind_all`](crate::Provider::bind_all).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Newcomer {
    /// What is to be served.
    pub binding: Binding,
    /// What the host takes away for it, here or at another of its providers, once it is served.
    /// While it is refused, that one stays.
    pub replaces: Option<BindingId>,
}

impl From<Binding> for Newcomer {
    fn from(binding: Binding) -> Self {
        Self { binding, replaces: None }
    }
}

/// What a provider learns when an actor is bound to it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Binding {
    /// Names the binding in every later call.
    pub id: BindingId,
    /// The bound actor.
    pub actor: ActorKey,
    /// The actor's human name, for logs.
    pub actor_name: String,
    /// The contract the binding is for.
    pub contract: ContractId,
    /// The binding's name.
    pub name: BindingName,
    /// Largest message in either direction, in bytes: the actor's limit of that name.
    pub payload_bytes_max: u32,
    /// The manifest's values for this binding, over those of the provider.
    pub values: Values,
}
