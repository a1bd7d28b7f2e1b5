//! What runs, as the owner task knows it.

use std::collections::BTreeMap;
use std::sync::Arc;

use trellis_core::{ActorKey, BindingName, ContractId};
use trellis_entitlements::{ActorId, LinkId, LinkSpec, Member, Roster, Rules, TargetId};
use trellis_providers_sdk::Provider;

use crate::prepare::{PreparedActor, PreparedLink, PreparedProvider};

/// Everything that runs, by its name in the manifest.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) actors: BTreeMap<Arc<str>, RunningActor>,
    pub(crate) providers: BTreeMap<Arc<str>, RunningProvider>,
    pub(crate) links: BTreeMap<LinkKey, RunningLink>,
    pub(crate) rules: Rules,
    last_id: u64,
}

/// An actor that runs.
pub(crate) struct RunningActor {
    pub(crate) id: ActorId,
    pub(crate) target: TargetId,
    pub(crate) prepared: PreparedActor,
    pub(crate) engine: trellis_engine::Actor,
}

/// A provider that runs.
pub(crate) struct RunningProvider {
    pub(crate) target: TargetId,
    pub(crate) prepared: PreparedProvider,
    pub(crate) provider: Arc<dyn Provider>,
    /// What its last health check said, when it was not well.
    pub(crate) ailment: Option<String>,
}

/// A binding that is in force.
pub(crate) struct RunningLink {
    pub(crate) id: LinkId,
    pub(crate) prepared: PreparedLink,
    /// The key its actor had when it was bound.
    pub(crate) subject: ActorKey,
}

/// What makes a binding the same binding.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct LinkKey {
    pub(crate) actor: Arc<str>,
    pub(crate) contract: ContractId,
    pub(crate) binding: BindingName,
}

impl LinkKey {
    pub(crate) fn of(link: &PreparedLink) -> Self {
        Self {
            actor: Arc::clone(&link.actor),
            contract: link.contract.id.clone(),
            binding: link.binding.clone(),
        }
    }
}

impl World {
    pub(crate) fn next_target(&mut self) -> TargetId {
        TargetId(self.next_id())
    }

    pub(crate) fn next_link(&mut self) -> LinkId {
        LinkId(self.next_id())
    }

    pub(crate) fn next_actor(&mut self) -> ActorId {
        ActorId(self.next_id())
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// What runs, in the gate's words.
    pub(crate) fn roster(&self) -> Roster {
        let mut actors: Vec<Member> = self.actors.values().map(RunningActor::member).collect();
        actors.sort_by_key(|member| member.id);
        let links = self.links.values().filter_map(|link| self.link_spec(link)).collect();
        Roster { actors, links, rules: self.rules }
    }

    /// The name of the actor a binding belongs to.
    pub(crate) fn actor_of(&self, link: LinkId) -> Option<Arc<str>> {
        let found = self.links.values().find(|running| running.id == link)?;
        Some(Arc::clone(&found.prepared.actor))
    }

    fn link_spec(&self, link: &RunningLink) -> Option<LinkSpec> {
        Some(LinkSpec {
            id: link.id,
            actor: self.actors.get(&link.prepared.actor)?.id,
            contract: Arc::clone(&link.prepared.contract),
            binding: link.prepared.binding.clone(),
            target: self.providers.get(&link.prepared.provider)?.target,
        })
    }
}

impl RunningActor {
    pub(crate) fn subject(&self) -> ActorKey {
        self.prepared.verified.claims().key()
    }

    fn member(&self) -> Member {
        Member {
            id: self.id,
            target: self.target,
            name: Arc::clone(&self.prepared.name),
            claims: Arc::clone(self.prepared.verified.claims()),
        }
    }
}
