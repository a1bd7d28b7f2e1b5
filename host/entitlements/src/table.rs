//! The roster, interned for the road of a call.

use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};
use trellis_core::Entity;

use crate::link::Link;
use crate::roster::{ActorId, LinkId, Member, Roster, Rules};

/// An immutable snapshot of every entitlement. Built whole by the control plane, read by the gate.
#[derive(Default, Debug)]
pub struct Table {
    seats: HashMap<ActorId, Arc<Seat>, RandomState>,
    by_name: HashMap<Box<str>, Arc<Seat>, RandomState>,
    links: HashMap<LinkId, Arc<Link>, RandomState>,
    /// The ids and aliases of every bound contract.
    contracts: HashSet<Box<str>, RandomState>,
    rules: Rules,
}

/// One actor's place in the table.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) member: Member,
    pub(crate) entity: Entity,
    /// By namespace (a contract id or alias), then by binding name: nearly always there is one.
    links: HashMap<Box<str>, Vec<Named>, RandomState>,
    callees: HashSet<Box<str>, RandomState>,
}

/// A link under its binding name.
type Named = (Box<str>, Arc<Link>);

impl Table {
    /// Interns a roster. A link whose actor is not in the roster is left out.
    #[must_use]
    pub fn build(roster: &Roster) -> Self {
        let mut seats: HashMap<ActorId, Seat, RandomState> =
            roster.actors.iter().map(|member| (member.id, Seat::new(member))).collect();
        let mut links = HashMap::default();
        let mut contracts = HashSet::default();
        for spec in &roster.links {
            let Some(seat) = seats.get_mut(&spec.actor) else { continue };
            let link = Arc::new(Link::new(spec, &seat.member));
            for id in std::iter::once(&spec.contract.id).chain(spec.contract.aliases.iter()) {
                seat.bind(id.as_str(), spec.binding.as_str(), &link);
                contracts.insert(id.as_str().into());
            }
            links.insert(spec.id, link);
        }
        let seats: HashMap<_, _, RandomState> =
            seats.into_iter().map(|(id, seat)| (id, Arc::new(seat))).collect();
        Self { by_name: names(roster, &seats), seats, links, contracts, rules: roster.rules }
    }

    #[inline]
    pub(crate) fn seat(&self, id: ActorId) -> Option<&Arc<Seat>> {
        self.seats.get(&id)
    }

    /// The actor of that key, manifest name or call alias.
    #[inline]
    pub(crate) fn seat_named(&self, name: &str) -> Option<&Arc<Seat>> {
        self.by_name.get(name)
    }

    #[inline]
    pub(crate) fn link(&self, id: LinkId) -> Option<&Arc<Link>> {
        self.links.get(&id)
    }

    /// True when some actor here is bound to that contract.
    pub(crate) fn has_contract(&self, namespace: &str) -> bool {
        self.contracts.contains(namespace)
    }

    #[inline]
    pub(crate) const fn rules(&self) -> Rules {
        self.rules
    }
}

impl Seat {
    fn new(member: &Member) -> Self {
        let claims = &member.claims;
        let callees = claims.calls.iter().chain(&claims.caps).map(|name| name.as_str().into());
        Self {
            entity: Entity::Actor(claims.key()),
            member: member.clone(),
            links: HashMap::default(),
            callees: callees.collect(),
        }
    }

    fn bind(&mut self, namespace: &str, binding: &str, link: &Arc<Link>) {
        let links = self.links.entry(namespace.into()).or_default();
        // The last one wins, as a manifest with the same binding twice is refused before.
        links.retain(|(name, _)| &**name != binding);
        links.push((binding.into(), Arc::clone(link)));
    }

    #[inline]
    pub(crate) fn link(&self, namespace: &str, binding: &str) -> Option<&Arc<Link>> {
        let links = self.links.get(namespace)?;
        links.iter().find(|(name, _)| &**name == binding).map(|(_, link)| link)
    }

    /// True when any binding of this actor is for that contract.
    pub(crate) fn has_contract(&self, namespace: &str) -> bool {
        self.links.contains_key(namespace)
    }

    /// True when this actor's claims let it call `callee`: by key, by call alias, by the callee's
    /// issuer, or because it is itself. `caps` may list keys, as in waSCC.
    pub(crate) fn may_call(&self, callee: &Self) -> bool {
        let claims = &callee.member.claims;
        let listed = |name: &str| self.callees.contains(name);
        self.member.id == callee.member.id
            || listed(claims.subject.as_str())
            || claims.call_alias.as_deref().is_some_and(listed)
            || listed(claims.issuer.as_str())
    }
}

/// Keys first, then manifest names, then call aliases; within each, the first registered wins, so
/// that a later actor can never take a name away.
fn names(
    roster: &Roster,
    seats: &HashMap<ActorId, Arc<Seat>, RandomState>,
) -> HashMap<Box<str>, Arc<Seat>, RandomState> {
    let mut by_name: HashMap<Box<str>, Arc<Seat>, RandomState> = HashMap::default();
    let passes: [fn(&Member) -> Option<&str>; 3] = [
        |member| Some(member.claims.subject.as_str()),
        |member| Some(&member.name),
        |member| member.claims.call_alias.as_deref(),
    ];
    for name_of in passes {
        for member in &roster.actors {
            let (Some(name), Some(seat)) = (name_of(member), seats.get(&member.id)) else {
                continue;
            };
            by_name.entry(name.into()).or_insert_with(|| Arc::clone(seat));
        }
    }
    by_name
}
