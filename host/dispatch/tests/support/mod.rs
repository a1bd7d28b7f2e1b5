//! One actor, `counter`, bound to one provider of `test:store`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use trellis_claims::{ActorClaims, KeyKind, KeyPair};
use trellis_core::{BindingId, BindingName, Contract, ContractId, Direction, Operation};
use trellis_entitlements::{
    ActorId, AllowAll, AuthzRequest, BindingSpec, EntitlementSet, Gate, LogAudit, PrincipalSpec,
    TargetId,
};

pub(crate) const ACTOR: TargetId = TargetId(1);
pub(crate) const PROVIDER: TargetId = TargetId(2);
pub(crate) const BINDING: BindingId = BindingId(7);

pub(crate) const FROM_HOST: AuthzRequest<'_> =
    AuthzRequest::FromSystem { actor: "counter", operation: &Cow::Borrowed("Count") };
pub(crate) const FROM_ACTOR: AuthzRequest<'_> = AuthzRequest::FromActor {
    actor: ActorId(1),
    binding: "",
    namespace: "test:store",
    operation: "Get",
};

/// A gate that refuses what claims and bindings do not allow, and no more.
pub(crate) fn gate() -> Gate {
    let metrics = trellis_entitlements::Metrics::default();
    Gate::new(Box::new(AllowAll), Box::new(LogAudit::default()), metrics)
}

/// A version of `counter`, as target `target`, which may use the store.
pub(crate) fn counter(id: ActorId, target: TargetId) -> PrincipalSpec {
    let key = KeyPair::generate(KeyKind::Module);
    let claims = ActorClaims {
        issuer: KeyPair::generate(KeyKind::Account).public().clone(),
        subject: key.public().clone(),
        id: String::new(),
        issued_at: 0,
        expires: None,
        not_before: None,
        name: None,
        hash: String::new(),
        caps: vec!["test:store".to_owned()],
        tags: Vec::new(),
        revision: None,
        version: None,
        call_alias: None,
        provider: false,
        grants: BTreeMap::new(),
        calls: Vec::new(),
        wascap_revision: Some(3),
    };
    PrincipalSpec { id, target, name: "counter".into(), claims: Arc::new(claims) }
}

/// The first version, bound to the store.
pub(crate) fn entitlements() -> EntitlementSet {
    let mut set = EntitlementSet::default();
    set.add(counter(ActorId(1), ACTOR));
    let get = Operation {
        name: Cow::Borrowed("Get"),
        direction: Direction::ToProvider,
        doc: Cow::Borrowed(""),
        idempotent: false,
    };
    let contract = Contract {
        id: ContractId::from_static("test:store"),
        aliases: Cow::Borrowed(&[]),
        operations: Cow::Owned(vec![get]),
    };
    set.bind(&BindingSpec {
        id: BINDING,
        actor: ActorId(1),
        contract: Arc::new(contract),
        name: BindingName::default(),
        target: PROVIDER,
    });
    set
}
