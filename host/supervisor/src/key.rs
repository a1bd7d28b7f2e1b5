//! What makes a binding the same binding.

use std::sync::Arc;

use trellis_control::BindingRef;
use trellis_core::{BindingName, ContractId};

/// An actor, a contract and a name: of one such there is one binding.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct BindingKey {
    pub(crate) actor: Arc<str>,
    pub(crate) contract: ContractId,
    pub(crate) name: BindingName,
}

impl BindingKey {
    pub(crate) fn to_ref(&self) -> BindingRef {
        BindingRef {
            actor: self.actor.to_string(),
            contract: self.contract.to_string(),
            name: self.name.to_string(),
        }
    }

    pub(crate) fn from_ref(binding: &BindingRef) -> Self {
        Self {
            actor: Arc::from(&*binding.actor),
            contract: ContractId::new(&*binding.contract),
            name: BindingName::new(&binding.name),
        }
    }
}
