//! The entitlement check alone: one actor, one binding, one operation.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use bench_side::{guest, time};
use trellis_claims::{KeyKind, KeyPair, SystemClock, TrustList, verify};
use trellis_core::{BindingId, BindingName, Trace};
use trellis_entitlements::{
    ActorId, AllowAll, AuthzRequest, BindingSpec, EntitlementSet, Gate, LogAudit, Metrics,
    PrincipalSpec, TargetId,
};

use super::{echo, ground};

const ACTOR: ActorId = ActorId(1);

pub(super) async fn measure(longest: Duration) -> Result<f64> {
    let gate = Gate::new(Box::new(AllowAll), Box::new(LogAudit::default()), Metrics::default());
    let set = entitlements()?;
    let ask = AuthzRequest::FromActor {
        actor: ACTOR,
        binding: "default",
        namespace: echo::CAPABILITY,
        operation: "Echo",
    };
    time(longest, async || {
        let permit = gate.admit(&set, std::hint::black_box(&ask), &Trace::default())?;
        drop(std::hint::black_box(permit));
        Ok(())
    })
    .await
}

fn entitlements() -> Result<EntitlementSet> {
    let account = KeyPair::generate(KeyKind::Account);
    let caps = [echo::CAPABILITY.to_owned()];
    let subject = KeyPair::generate(KeyKind::Module);
    let module = ground::sign(&guest("warm-relay")?, ("guest", subject.public()), &caps, &account)?;
    let trust = TrustList::new(0).trust(account.public())?;
    let verified = verify(&module, &trust, &SystemClock)?;
    let actor = PrincipalSpec {
        id: ACTOR,
        target: TargetId(1),
        name: Arc::from("guest"),
        claims: Arc::clone(verified.claims()),
    };
    let binding = BindingSpec {
        id: BindingId(1),
        actor: ACTOR,
        contract: Arc::new(echo::contract()),
        name: BindingName::default(),
        target: TargetId(2),
    };
    let mut set = EntitlementSet::default();
    set.add(actor);
    set.bind(&binding);
    Ok(set)
}
