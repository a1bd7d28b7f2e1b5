//! Who is here and who is bound to what, as the control plane says it.

use std::sync::Arc;

use trellis_claims::ActorClaims;
use trellis_core::{BindingId, BindingName, Contract};

/// The host's handle for one version of an actor's code; never reused while the host runs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ActorId(pub u64);

/// The host's handle for something that can be called: a version of an actor, or a provider. Never
/// reused while the host runs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TargetId(pub u64);

/// One version of an actor.
#[derive(Clone, Debug)]
pub struct PrincipalSpec {
    /// Its handle as a caller.
    pub id: ActorId,
    /// Its handle as a target.
    pub target: TargetId,
    /// The name it has in the manifest.
    pub name: Arc<str>,
    /// What its signature says.
    pub claims: Arc<ActorClaims>,
}

/// One binding.
#[derive(Clone, Debug)]
pub struct BindingSpec {
    /// Its handle.
    pub id: BindingId,
    /// The bound actor.
    pub actor: ActorId,
    /// The contract it is for.
    pub contract: Arc<Contract>,
    /// The binding's name.
    pub name: BindingName,
    /// The provider's handle.
    pub target: TargetId,
}

/// Switches of the host's owner.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Rules {
    /// Every actor may call every actor, as in wasmCloud 0.18; off, an actor calls only whom its
    /// claims list.
    pub open_calls: bool,
}
