//! Claims that end soon.

use trellis_control::Degraded;
use trellis_core::Code;
use trellis_testkit::guests::by_hand;

use crate::stage::{NOW_S, Stage};

const DAY_S: u64 = 86_400;
const ONE: &str = "actors: [{image: one.wasm, name: one}]\n";

/// Signs `one` from now on for so many days.
fn sign(stage: &Stage, days: u64, revision: i32) {
    stage.put_with("one", &by_hand("(memory (export \"memory\") 1)", "(i32.const 1)"), |draft| {
        (draft.not_before, draft.expires) = (Some(NOW_S), Some(NOW_S + days * DAY_S));
        draft.revision = Some(revision);
    });
}

#[tokio::test]
async fn a_running_actor_whose_claims_end_soon_is_told_of_until_it_is_signed_again() {
    let stage = Stage::new();
    sign(&stage, 100, 1);
    stage.apply(ONE).await;
    let status = stage.status();
    assert_eq!(status.degraded, [], "nothing is near");
    assert_eq!(status.expiries[0].unix_s, NOW_S + 100 * DAY_S);
    stage.clock.set(NOW_S + 94 * DAY_S);
    while stage.status().degraded.is_empty() {
        stage.supervisor.changed().await;
    }
    let [Degraded { what, code, why, .. }] = &stage.status().degraded[..] else { panic!("one") };
    assert_eq!((&**what, *code), ("claims of actor one", Code::Expired));
    assert!(why.starts_with("they end on 2024-02-22") && why.contains("--expires"), "{why}");

    let prepared = stage.prepare(ONE).await;
    let [warning] = prepared.warnings() else { panic!("one: {:?}", prepared.warnings()) };
    let told = &warning.problem.message;
    assert!(told.contains("the claims of actor `one` end on 2024-02-22"), "{told}");
    assert!(told.ends_with("in 6 days"), "{told}");

    sign(&stage, 200, 2);
    stage.apply(ONE).await;
    assert_eq!(stage.status().degraded, [], "it was signed again");
    assert!(stage.prepare(ONE).await.warnings().is_empty());
}
