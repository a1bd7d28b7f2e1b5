//! The entitlement check alone: one actor, one binding, one operation.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use bench_side::{guest, time};
use trellis_claims::{KeyKind, KeyPair, SystemClock, TrustList, verify};
use trellis_core::BindingName;
use trellis_entitlements::{
    ActorId, AllowAll, Ask, Gate, LinkId, LinkSpec, LogAudit, Member, Metrics, Roster, Rules,
    Table, TargetId,
};

use super::{echo, ground};

const ACTOR: ActorId = ActorId(1);

pub(super) async fn measure(longest: Duration) -> Result<f64> {
    let gate = Gate::new(Box::new(AllowAll), Box::new(LogAudit::default()), Metrics::default());
    let table = Table::build(&roster()?);
    let ask = Ask::FromActor {
        actor: ACTOR,
        binding: "default",
        namespace: echo::CAPABILITY,
        operation: "Echo",
    };
    time(longest, async || {
        let permit = gate.admit(&table, std::hint::black_box(&ask))?;
        drop(std::hint::black_box(permit));
        Ok(())
    })
    .await
}

fn roster() -> Result<Roster> {
    let account = KeyPair::generate(KeyKind::Account);
    let caps = [echo::CAPABILITY.to_owned()];
    let module = ground::sign(&guest("warm-relay")?, "guest", &caps, &account)?;
    let trust = TrustList::new(0).trust(account.public())?;
    let verified = verify(&module, &trust, &SystemClock)?;
    let member = Member {
        id: ACTOR,
        target: TargetId(1),
        name: Arc::from("guest"),
        claims: Arc::clone(verified.claims()),
    };
    let link = LinkSpec {
        id: LinkId(1),
        actor: ACTOR,
        contract: Arc::new(echo::contract()),
        binding: BindingName::default(),
        target: TargetId(2),
    };
    Ok(Roster { actors: vec![member], links: vec![link], rules: Rules::default() })
}
