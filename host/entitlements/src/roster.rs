//! Who is here and who is bound to what, as the control plane knows it: the table's input.

use std::sync::Arc;

use trellis_claims::ActorClaims;
use trellis_core::{BindingName, Contract};

/// The host's handle for a running actor; never reused while the host runs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ActorId(pub u64);

/// The host's handle for a binding; never reused while the host runs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct LinkId(pub u64);

/// The host's handle for something that can be called: an actor or a provider.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TargetId(pub u64);

/// Everything an entitlement depends on.
#[derive(Clone, Default, Debug)]
pub struct Roster {
    /// The running actors, in the order they were registered: the first to claim a name has it.
    pub actors: Vec<Member>,
    /// The bindings between them and providers.
    pub links: Vec<LinkSpec>,
    /// What the owner of the host decided for all of them.
    pub rules: Rules,
}

/// One running actor.
#[derive(Clone, Debug)]
pub struct Member {
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
pub struct LinkSpec {
    /// Its handle.
    pub id: LinkId,
    /// The bound actor.
    pub actor: ActorId,
    /// The contract it is for.
    pub contract: Arc<Contract>,
    /// The binding's name.
    pub binding: BindingName,
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
