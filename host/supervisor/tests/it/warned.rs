//! What can run and was probably not meant.

use trellis_claims::ClaimsDraft;
use trellis_entitlements::Rules;
use trellis_supervisor::{ApplyOptions, LastRuns, Prepared, dry_run};
use trellis_testkit::guests::by_hand;

use crate::stage::{Stage, done};

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
    assert!(told.contains("no actor of this manifest has that call alias"), "{told}");
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
    assert!(told.contains("is only the `name` of an actor"), "{told}");
    let key = stage.account.subject("two");
    let cure = format!("sign `two` with `--call-alias two`, or `one` with `--calls {key}`");
    assert!(told.contains(&cure), "{told}");
    let stage = two(calls("two"), alias("other"));
    let told = only(&stage.prepare(TWO).await);
    assert!(told.contains("sign `one` with `--calls other`"), "{told}");
}

#[tokio::test]
async fn whom_a_doubtful_alias_reaches_is_told() {
    for (alias_of_one, alias_of_two, said) in [
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
async fn whom_a_shared_alias_reaches_is_told_while_it_lasts() {
    let stage = two(alias("shared"), alias("shared"));
    let told = only(&stage.prepare(TWO).await);
    assert!(told.contains("actors `one` and `two` have the same call alias, `shared`"), "{told}");
    assert!(told.contains("that is `one`, which comes first in the manifest"), "{told}");
    let now = |stage: &Stage| {
        let degraded = stage.status().degraded;
        degraded.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    for (manifest, holder) in [
        ("actors: [{image: two.wasm, name: two}]\n", None),
        (TWO, Some("two")),
        ("actors: [{image: one.wasm, name: one}]\n", None),
        (TWO, Some("one")),
    ] {
        stage.apply(manifest).await;
        let now = now(&stage);
        assert_eq!(now.len(), holder.iter().count(), "{now:?}");
        for (row, holder) in now.iter().zip(holder) {
            assert!(
                row.starts_with("call alias `shared`: actors `one` and `two` have it"),
                "{row}"
            );
            assert!(row.contains(&format!("calls by it go to `{holder}`; sign")), "{row}");
        }
    }
}

#[tokio::test]
async fn whose_a_binding_by_a_shared_alias_is_is_told() {
    let stores = |draft: &mut ClaimsDraft| {
        draft.caps = vec!["test:store".to_owned()];
        draft.call_alias = Some("shared".to_owned());
    };
    let stage = two(stores, stores);
    let bound = |actor: &str| STORED.replace("{actor: one", &format!("{{actor: {actor}"));
    let prepared = stage.prepare(&bound("shared")).await;
    let told = told(&prepared);
    let said = "this binding is that of `one`, which the manifest names first; name the actor";
    assert!(told.iter().any(|told| told.contains(said)), "{told:#?}");
    let is_it = |what: &&str| what.contains("binding");
    assert!(
        prepared.warnings().iter().filter_map(|it| it.lasting).any(|it| is_it(&it)),
        "it lasts"
    );
    let prepared = stage.prepare(&bound("two")).await;
    assert!(prepared.warnings().iter().all(|it| !it.problem.message.contains("this binding")));
}

#[tokio::test]
async fn a_claim_that_a_new_version_leaves_out_is_told() {
    let ticks = |draft: &mut ClaimsDraft| draft.caps = vec!["test:ticker".to_owned()];
    let stage = two(ticks, claims_nothing);
    let before = stage.prepare(TWO).await.runs().clone();
    assert_eq!(before["one"].rights.uses.get("test:ticker"), Some(&None), "{before:?}");
    let unchanged = stage.check(TWO, before.clone()).await;
    assert!(unchanged.is_ok_and(|prepared| prepared.warnings().is_empty()), "it has it still");

    let stage = two(claims_nothing, ticks);
    let prepared = stage.check(TWO, before).await.unwrap_or_else(|report| panic!("{report}"));
    let told = only(&prepared);
    assert!(told.contains("actor `one` may no longer use test:ticker"), "{told}");
    assert!(told.contains("sign it with `--cap test:ticker`"), "{told}");
    assert_eq!(prepared.warnings()[0].lasting, None, "it is about the change");
    let after = prepared.runs().clone();
    let again = stage.check(TWO, after).await.unwrap_or_else(|report| panic!("{report}"));
    assert!(again.warnings().is_empty(), "once it runs there is nothing more to say");
    let first = stage.check(TWO, LastRuns::new()).await;
    assert!(first.is_ok_and(|prepared| prepared.warnings().is_empty()), "nothing is known");
}

const STORED: &str = "actors: [{image: one.wasm, name: one}, {image: two.wasm, name: two}]
providers: [{builtin: store}]
bindings: [{actor: one, capability: 'test:store'}]
";

/// Claims of `one` with a store, and with calls to these.
fn stores(callees: &[&str]) -> impl FnOnce(&mut ClaimsDraft) {
    let calls = callees.iter().map(|callee| (*callee).to_owned()).collect();
    |draft| {
        draft.caps = vec!["test:store".to_owned()];
        draft.calls = calls;
    }
}

/// Puts another version of `one` in place.
fn next(stage: &Stage, claim: impl FnOnce(&mut ClaimsDraft)) {
    let module = by_hand("(memory (export \"memory\") 2)", "(i32.const 1)");
    stage.put_with("one", &module, claim);
}

async fn checked(stage: &Stage, before: &LastRuns) -> Prepared {
    let prepared = stage.check(STORED, before.clone()).await;
    prepared.unwrap_or_else(|report| panic!("{report}"))
}

#[tokio::test]
async fn what_a_new_version_may_no_longer_do_is_told_with_its_step() {
    let stage = two(stores(&["ledger"]), alias("ledger"));
    let first = stage.prepare(STORED).await;
    let before = first.runs().clone();
    stage.supervisor.apply(first, ApplyOptions::default()).await;

    next(&stage, |draft| {
        stores(&[])(draft);
        draft.grants.insert("test:store".to_owned(), vec!["Other".to_owned()]);
        draft.version = Some("0.2.0".to_owned());
    });
    let prepared = checked(&stage, &before).await;
    let told = told(&prepared);
    let [call, operation] = &told[..] else { panic!("{told:#?}") };
    assert!(call.contains("actor `one` 0.2.0 may no longer call `ledger`: "), "{call}");
    assert!(call.contains("calls that need it are refused now; "), "{call}");
    assert!(call.contains("sign it with `--calls ledger`"), "{call}");
    assert!(operation.contains("may no longer use Ask of test:store: "), "{operation}");
    assert!(operation.contains("`--grant test:store=Ask` as well"), "{operation}");
    assert!(prepared.warnings().iter().all(|warning| warning.lasting.is_none()), "said once");

    let less = "actor one; it may no longer call `ledger` or use Ask of test:store";
    let steps: Vec<_> =
        dry_run(&prepared, Rules::default()).iter().map(ToString::to_string).collect();
    assert!(steps.contains(&format!("start {less}")), "{steps:#?}");
    let after = prepared.runs().clone();
    let applied = stage.supervisor.apply(prepared, ApplyOptions::default()).await;
    assert!(done(&applied).contains(&format!("replaced {less}")), "{:#?}", done(&applied));
    assert!(checked(&stage, &after).await.warnings().is_empty(), "it could not before either");
}

#[tokio::test]
async fn a_right_under_another_name_or_to_nobody_is_not_lost() {
    let stage = two(stores(&["ledger", "nobody"]), alias("ledger"));
    let before = stage.prepare(STORED).await.runs().clone();
    let key = stage.account.subject("two").to_string();
    next(&stage, |draft| {
        stores(&[&key])(draft);
        draft.grants.insert("test:store".to_owned(), vec!["Ask".to_owned()]);
    });
    assert_eq!(told(&checked(&stage, &before).await), [""; 0], "the key is that of `ledger`");
    next(&stage, stores(&[]));
    let open = format!("{STORED}host: {{calls: open}}\n");
    let prepared = stage.check(&open, before).await.unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(told(&prepared), [""; 0], "there everybody may call everybody");
}

#[tokio::test]
async fn a_limit_that_cannot_be_had_is_told_while_it_lasts() {
    let stage = two(claims_nothing, claims_nothing);
    for (entry, said) in [
        ("limits: {memory: 8GiB}", "given 1GiB for `memory`, not 8GiB"),
        ("limits: {call_time: 5000h}", "given 5m for `call_time`, not 5000h"),
        ("limits: {name_bytes: 257}", "given 256B for `name_bytes`, not 257B"),
        ("instances: {max: 1001}", "given 1000 for `instances.max`, not 1001"),
    ] {
        let manifest = TWO.replace("name: two", &format!("name: two, {entry}"));
        let prepared = stage.prepare(&manifest).await;
        let told = only(&prepared);
        assert!(told.contains("actor `two`") && told.contains(said), "{told}");
        assert!(told.contains("or less"), "{told}");
        assert!(prepared.warnings()[0].lasting.is_some(), "it lasts");
        let value = prepared.warnings()[0].problem.span.start;
        assert!(manifest[value..].starts_with(|c: char| c.is_ascii_digit()), "it is pointed at");
    }
    let most = TWO.replace("name: two", "name: two, limits: {memory: 1GiB, call_time: 5m}");
    assert!(told_nothing(&stage, &most).await, "that is what a host gives");
}

#[tokio::test]
async fn an_actor_that_is_left_no_call_is_told() {
    let none = |manifest: &str| {
        manifest.replace("name: one", "name: one, limits: {host_calls_per_call: 0}")
    };
    let stage = two(stores(&[]), claims_nothing);
    let told = only(&stage.prepare(&none(STORED)).await);
    assert!(told.contains("actor `one` may make no host calls"), "{told}");
    let stage = two(claims_nothing, claims_nothing);
    assert!(told_nothing(&stage, &none(TWO)).await, "it is bound to nothing");
}
