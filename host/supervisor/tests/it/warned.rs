//! What can run and was probably not meant.

use trellis_claims::ClaimsDraft;
use trellis_supervisor::{LastRuns, Prepared};
use trellis_testkit::guests::by_hand;

use crate::stage::Stage;

const TWO: &str = "actors: [{image: one.wasm, name: one}, {image: two.wasm, name: two}]\n";

/// A stage with the actors `one` and `two`, which claim what is said.
fn two(one: impl FnOnce(&mut ClaimsDraft), two: impl FnOnce(&mut ClaimsDraft)) -> Stage {
    let stage = Stage::new();
    let module = by_hand("(memory (export \"memory\") 1)", "(i32.const 1)");
    stage.put_with("one", &module, one);
    stage.put_with("two", &module, two);
    stage
}

fn claims_nothing(_: &mut ClaimsDraft) {}

fn calls(callee: &str) -> impl FnOnce(&mut ClaimsDraft) {
    let callee = callee.to_owned();
    |draft| draft.calls = vec![callee]
}

fn alias(alias: &str) -> impl FnOnce(&mut ClaimsDraft) {
    let alias = alias.to_owned();
    |draft| draft.call_alias = Some(alias)
}

/// Each warning with its cure.
fn told(prepared: &Prepared) -> Vec<String> {
    let problems = prepared.warnings().iter().map(|warning| &warning.problem);
    let told = problems.map(|it| format!("{}; {}", it.message, it.help.as_deref().unwrap_or("")));
    told.collect()
}

/// The only warning there is.
fn only(prepared: &Prepared) -> String {
    let told = told(prepared);
    let [only] = &told[..] else { panic!("{told:#?}") };
    only.clone()
}

#[tokio::test]
async fn a_callee_that_nobody_is_is_told_with_the_nearest() {
    let stage = two(calls("ledgr"), alias("ledger"));
    let prepared = stage.prepare(TWO).await;
    let told = only(&prepared);
    assert!(told.contains("actor `one` is signed with `--calls ledgr`"), "{told}");
    assert!(told.contains("no actor of the manifest has that call alias"), "{told}");
    assert!(told.contains("did you mean `ledger`?"), "{told}");
    assert!(prepared.warnings()[0].lasting.is_some(), "it lasts");
    let stranger = stage.account.subject("nobody").to_string();
    let stage = two(|draft| draft.caps = vec![stranger.clone()], claims_nothing);
    let told = only(&stage.prepare(TWO).await);
    assert!(told.contains(&stranger) && told.contains("has that key"), "waSCC's rule: {told}");
    let open = format!("{TWO}host: {{calls: open}}\n");
    assert!(told_nothing(&stage, &open).await, "there the claims do not matter");
}

#[tokio::test]
async fn a_callee_that_is_here_needs_no_word() {
    for by in ["ledger", "key", "issuer"] {
        let stage = two(claims_nothing, alias("ledger"));
        let name = match by {
            "key" => stage.account.subject("two").to_string(),
            "issuer" => stage.account.issuer().public().to_string(),
            alias => alias.to_owned(),
        };
        let module = by_hand("(memory (export \"memory\") 1)", "(i32.const 1)");
        stage.put_with("one", &module, calls(&name));
        assert!(told_nothing(&stage, TWO).await, "{by}");
    }
}

async fn told_nothing(stage: &Stage, manifest: &str) -> bool {
    stage.prepare(manifest).await.warnings().is_empty()
}

#[tokio::test]
async fn a_name_of_the_manifest_is_no_call_alias() {
    let stage = two(calls("two"), claims_nothing);
    let told = only(&stage.prepare(TWO).await);
    assert!(told.contains("is an actor's name here"), "{told}");
    let key = stage.account.subject("two");
    let cure = format!("sign `two` with `--call-alias two`, or `one` with `--calls {key}`");
    assert!(told.contains(&cure), "{told}");
    let stage = two(calls("two"), alias("other"));
    let told = only(&stage.prepare(TWO).await);
    assert!(told.contains("sign with `--calls other`"), "{told}");
}

#[tokio::test]
async fn whom_a_doubtful_alias_reaches_is_told() {
    for (alias_of_one, alias_of_two, said) in [
        ("shared", "shared", "actors `one` and `two` have one call alias, `shared`"),
        ("two", "other", "the call alias of actor `one` is the name of another actor, `two`"),
        ("a:b", "other", "nobody can call actor `one` by its call alias `a:b`"),
    ] {
        let stage = two(alias(alias_of_one), alias(alias_of_two));
        let prepared = stage.prepare(TWO).await;
        let told = only(&prepared);
        assert!(told.contains(said) && told.contains("another"), "{told}");
        assert!(prepared.warnings()[0].lasting.is_some(), "it lasts");
    }
    assert!(
        told_nothing(&two(alias("one"), alias("two")), TWO).await,
        "its own name is no other's"
    );
}

#[tokio::test]
async fn a_claim_that_a_new_version_leaves_out_is_told() {
    let ticks = |draft: &mut ClaimsDraft| draft.caps = vec!["test:ticker".to_owned()];
    let stage = two(ticks, claims_nothing);
    let before = stage.prepare(TWO).await.runs().clone();
    assert!(before["one"].self_bound.contains("test:ticker"), "{before:?}");
    let unchanged = stage.check(TWO, before.clone()).await;
    assert!(unchanged.is_ok_and(|prepared| prepared.warnings().is_empty()), "it has it still");

    let stage = two(claims_nothing, ticks);
    let prepared = stage.check(TWO, before).await.unwrap_or_else(|report| panic!("{report}"));
    let told = only(&prepared);
    assert!(told.contains("actor `one` does not claim test:ticker any more"), "{told}");
    assert!(told.contains("sign it with `--cap test:ticker`"), "{told}");
    assert_eq!(prepared.warnings()[0].lasting, None, "it is about the change");
    let after = prepared.runs().clone();
    let again = stage.check(TWO, after).await.unwrap_or_else(|report| panic!("{report}"));
    assert!(again.warnings().is_empty(), "once it runs there is nothing more to say");
    let first = stage.check(TWO, LastRuns::new()).await;
    assert!(first.is_ok_and(|prepared| prepared.warnings().is_empty()), "nothing is known");
}
