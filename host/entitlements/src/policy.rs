//! The last word of the host's owner, after claims and binding.

use trellis_core::{ContractId, Parties};

/// What a policy is asked.
#[derive(Debug)]
pub struct PolicyInput<'a> {
    /// Who asks whom.
    pub parties: Parties<'a>,
    /// The contract, when the call goes over a binding.
    pub contract: Option<&'a ContractId>,
    /// The operation.
    pub operation: &'a str,
}

/// What a policy answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Decision {
    /// The call may go on.
    Allow,
    /// It may not; the sentence is shown to the caller.
    Deny(String),
}

/// A rule over calls. Asked on every call, so it must answer from memory and never block.
pub trait Policy: Send + Sync {
    /// Decides one call.
    fn decide(&self, input: &PolicyInput<'_>) -> Decision;
}

/// The policy of a host without one: claims and bindings decide alone.
#[derive(Clone, Copy, Default, Debug)]
pub struct AllowAll;

impl Policy for AllowAll {
    fn decide(&self, _: &PolicyInput<'_>) -> Decision {
        Decision::Allow
    }
}
