//! A small world of actors and bindings for the gate's tests.
#![allow(dead_code, reason = "each test binary uses its part of the world")]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use trellis_claims::{ActorClaims, KeyKind, KeyPair, PublicKey};
use trellis_core::{
    BindingId, BindingName, CallError, Contract, ContractId, Direction, Operation, Trace,
};
use trellis_entitlements::{
    Absence, ActorId, AuditSink, AuthzRequest, BindingSpec, Decision, Denial, EntitlementSet, Gate,
    Metrics, Permit, Policy, PolicyInput, PrincipalSpec, Rules, TargetId,
};

pub(crate) const KEYVALUE: &str = "wascc:keyvalue";
pub(crate) const HTTP: &str = "wascc:http_server";

/// Who is in the world, in the order of the golden file.
pub(crate) const ACTORS: [&str; 9] = [
    "whole",
    "granted",
    "unbound",
    "unclaimed",
    "aliased",
    "by_key",
    "by_alias",
    "by_issuer",
    "by_caps",
];

pub(crate) struct World {
    pub(crate) keys: BTreeMap<&'static str, PublicKey>,
    pub(crate) ids: BTreeMap<&'static str, ActorId>,
    pub(crate) actors: Vec<PrincipalSpec>,
    pub(crate) bindings: Vec<BindingSpec>,
    pub(crate) rules: Rules,
}

fn contract(
    id: &'static str,
    alias: &'static str,
    operations: &[(&'static str, Direction)],
) -> Arc<Contract> {
    let operation = |(name, direction): &(&'static str, Direction)| Operation {
        name: Cow::Borrowed(*name),
        direction: *direction,
        doc: Cow::Borrowed(""),
        idempotent: false,
    };
    Arc::new(Contract {
        id: ContractId::from_static(id),
        aliases: Cow::Owned(vec![ContractId::from_static(alias)]),
        operations: operations.iter().map(operation).collect(),
    })
}

impl World {
    /// `whole` may use everything, has the alias `friend` and an issuer of its own; every other
    /// actor lacks or has just what its name says.
    pub(crate) fn new() -> Self {
        let issuer = KeyPair::generate(KeyKind::Account).public().clone();
        let friend_issuer = KeyPair::generate(KeyKind::Account).public().clone();
        let keys: BTreeMap<_, _> = ACTORS
            .iter()
            .map(|name| (*name, KeyPair::generate(KeyKind::Module).public().clone()))
            .collect();
        let mut actors = Vec::new();
        let mut ids = BTreeMap::new();
        for (index, name) in ACTORS.iter().enumerate() {
            let id = ActorId(index as u64);
            let mut claims =
                claims(name, &keys, if *name == "whole" { &friend_issuer } else { &issuer });
            match *name {
                "by_key" => claims.calls = vec![keys["whole"].to_string()],
                "by_alias" => claims.calls = vec!["friend".to_owned()],
                "by_issuer" => claims.calls = vec![friend_issuer.to_string()],
                "by_caps" => claims.caps.push(keys["whole"].to_string()),
                _ => {}
            }
            ids.insert(*name, id);
            actors.push(PrincipalSpec {
                id,
                target: TargetId(100 + index as u64),
                name: Arc::from(format!("{name}-in-manifest")),
                claims: Arc::new(claims),
            });
        }
        let world = Self { keys, ids, actors, bindings: Vec::new(), rules: Rules::default() };
        world.bound()
    }

    fn bound(mut self) -> Self {
        use Direction::{ToActor, ToProvider};
        let keyvalue =
            contract(KEYVALUE, "wasmcloud:keyvalue", &[("Get", ToProvider), ("Add", ToProvider)]);
        let http = contract(HTTP, "wasmcloud:httpserver", &[("HandleRequest", ToActor)]);
        let mut bind = |actor: &str, contract: &Arc<Contract>, target| {
            self.bindings.push(BindingSpec {
                id: BindingId(self.bindings.len() as u64),
                actor: self.ids[actor],
                contract: Arc::clone(contract),
                name: BindingName::default(),
                target: TargetId(target),
            });
        };
        for actor in ["whole", "granted", "unclaimed", "aliased"] {
            bind(actor, &keyvalue, 1);
            bind(actor, &http, 2);
        }
        self
    }

    pub(crate) fn gate(&self, policy: impl Policy + 'static) -> (Guarded, Arc<Audited>) {
        let audited = Arc::new(Audited::default());
        let metrics = Metrics::default();
        let trail = Box::new(Shared(Arc::clone(&audited)));
        let gate = Gate::new(Box::new(policy), trail, metrics.clone());
        (Guarded { gate, set: self.set(), metrics }, audited)
    }

    pub(crate) fn set(&self) -> EntitlementSet {
        let mut set = EntitlementSet::default();
        self.actors.iter().for_each(|actor| set.add(actor.clone()));
        self.bindings.iter().for_each(|binding| set.bind(binding));
        set.set_rules(self.rules);
        set
    }
}

/// A gate and the set it reads.
pub(crate) struct Guarded {
    gate: Gate,
    set: EntitlementSet,
    metrics: Metrics,
}

impl Guarded {
    pub(crate) fn admit<'t>(&'t self, request: &AuthzRequest<'t>) -> Result<Permit<'t>, CallError> {
        self.gate.admit(&self.set, request, &Trace::default())
    }

    pub(crate) fn publish(&mut self, set: EntitlementSet) {
        self.set = set;
    }

    /// What it counted, as text.
    pub(crate) fn metrics(&self) -> String {
        let mut registry = Registry::default();
        self.metrics.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).expect("a string takes everything");
        text
    }
}

fn claims(
    name: &'static str,
    keys: &BTreeMap<&'static str, PublicKey>,
    issuer: &PublicKey,
) -> ActorClaims {
    let caps: &[&str] = match name {
        "whole" | "granted" => &[KEYVALUE, HTTP],
        "unbound" => &[KEYVALUE],
        "aliased" => &["wasmcloud:keyvalue", "wasmcloud:httpserver"],
        _ => &[],
    };
    let grants = match name {
        "granted" => BTreeMap::from([(KEYVALUE.to_owned(), vec!["Get".to_owned()])]),
        _ => BTreeMap::new(),
    };
    ActorClaims {
        issuer: issuer.clone(),
        subject: keys[name].clone(),
        id: String::new(),
        issued_at: 0,
        expires: None,
        not_before: None,
        name: Some(name.to_owned()),
        hash: String::new(),
        caps: caps.iter().map(ToString::to_string).collect(),
        tags: Vec::new(),
        revision: None,
        version: None,
        call_alias: (name == "whole").then(|| "friend".to_owned()),
        provider: false,
        grants,
        calls: Vec::new(),
        wascap_revision: Some(3),
    }
}

/// Refuses `Add`, whoever asks.
pub(crate) struct NoAdd;

impl Policy for NoAdd {
    fn decide(&self, input: &PolicyInput<'_>) -> Decision {
        match input.operation {
            "Add" => Decision::Deny("nothing is added today".to_owned()),
            _ => Decision::Allow,
        }
    }
}

/// Keeps what was audited: the denials, and apart from them who was not here.
#[derive(Default)]
pub(crate) struct Audited(pub(crate) Mutex<Vec<Denial>>, pub(crate) Mutex<Vec<Absence>>);

/// The same trail, held by the gate.
struct Shared(Arc<Audited>);

impl AuditSink for Shared {
    fn denied(&self, denial: &Denial, _: Trace) {
        self.0.0.lock().expect("no test panics while it holds this").push(denial.clone());
    }

    fn absent(&self, absence: &Absence, _: Trace) {
        self.0.1.lock().expect("no test panics while it holds this").push(absence.clone());
    }
}
