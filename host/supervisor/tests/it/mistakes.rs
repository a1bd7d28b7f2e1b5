//! Everything that is wrong with a manifest is told at once, and nothing that follows from it.

use trellis_supervisor::{Lacks, LastRuns, PrepareContext};
use trellis_testkit::guests::by_hand;

use crate::stage::Stage;

/// A stage with the actor `one`, which claims `test:store` and `test:server`.
fn stage() -> Stage {
    let stage = Stage::new();
    stage.put("one", &by_hand("(memory (export \"memory\") 1)", "(i32.const 1)"));
    stage
}

/// Each problem with its cure, in the order of the text.
async fn told(manifest: &str) -> Vec<String> {
    let report = match stage().check(manifest, LastRuns::new()).await {
        Ok(_) => return Vec::new(),
        Err(report) => report,
    };
    let told = report.problems().iter();
    told.map(|it| format!("{}; {}", it.message, it.help.as_deref().unwrap_or(""))).collect()
}

/// Checks that these are the problems, each with some of its words.
async fn tells(manifest: &str, wanted: &[&[&str]]) {
    let told = told(manifest).await;
    assert_eq!(told.len(), wanted.len(), "{manifest}\n{told:#?}");
    for (told, wanted) in told.iter().zip(wanted) {
        assert!(wanted.iter().all(|words| told.contains(words)), "{manifest}\n{told}\n{wanted:?}");
    }
}

fn manifest(provider: &str, binding: &str) -> String {
    format!(
        "actors: [{{image: one.wasm, name: one}}]
providers: [{{{provider}}}]
bindings: [{{actor: one, {binding}}}]
"
    )
}

#[tokio::test]
async fn a_mistyped_provider_asks_for_no_other() {
    let mistyped: &[&str] = &["unknown built-in provider `stor`", "did you mean `store`?"];
    tells(&manifest("builtin: stor", "capability: 'test:store'"), &[mistyped]).await;
    // Bound by what it is called, or by what it is.
    for name in ["stor", "store"] {
        let binding = format!("capability: 'test:store', provider: {name}");
        tells(&manifest("builtin: stor", &binding), &[mistyped]).await;
    }
    // One that is like nothing may serve anything that is known, and nothing else.
    let unlike: &[&str] = &["unknown built-in provider `postgresql`"];
    tells(&manifest("builtin: postgresql", "capability: 'test:store'"), &[unlike]).await;
    let binding = "capability: 'test:store', provider: postgresql";
    tells(&manifest("builtin: postgresql", binding), &[unlike]).await;
    let nobody: &[&str] = &["no provider here serves acme:ledger"];
    tells(&manifest("builtin: postgresql", "capability: 'acme:ledger'"), &[unlike, nobody]).await;
    // Beside one that is right, the other is not meant.
    let both = "builtin: stor}, {builtin: store, name: right";
    tells(&manifest(both, "capability: 'test:store'"), &[mistyped]).await;
}

#[tokio::test]
async fn a_mistyped_name_hides_no_wrong_value() {
    let value: &[&str] = &["unknown value `SISE`", "did you mean `SIZE`?"];
    for (provider, binding, mistake) in [
        ("builtin: stor", "capability: 'test:store'", "unknown built-in provider `stor`"),
        (
            "builtin: store, name: mine",
            "capability: 'test:store', provider: mien",
            "unknown provider `mien`",
        ),
        ("builtin: store", "capability: 'test:stor'", "no provider here serves test:stor"),
        (
            "builtin: store",
            "capability: 'test:stor', provider: store",
            "provider `store` does not serve test:stor",
        ),
    ] {
        let binding = format!("{binding}, values: {{SISE: '1'}}");
        tells(&manifest(provider, &binding), &[&[mistake, "did you mean"], value]).await;
    }
    let elsewhere = "capability: 'test:server', provider: store";
    let serves = "it serves test:store";
    tells(&manifest("builtin: store", elsewhere), &[&["does not serve test:server", serves]]).await;
}

#[tokio::test]
async fn a_provider_with_a_mistake_in_its_text_may_serve_anything() {
    let lacks = Lacks { providers: true, actors: false };
    let told = |capability: &'static str| async move {
        let text = manifest("builtin: server", &format!("capability: '{capability}'"));
        let stage = stage();
        let checked = stage.check_as(&text, |context| PrepareContext { lacks, ..context }).await;
        let report = checked.map(drop).map_err(|report| report.problems().to_vec());
        report.err().unwrap_or_default().into_iter().map(|it| it.message).collect::<Vec<_>>()
    };
    assert_eq!(told("acme:geo").await, [""; 0], "it may be the program that does");
    assert_eq!(told("test:store").await, [""; 0]);
    assert_eq!(told("test:stor").await, ["no provider here serves test:stor"], "it is mistyped");
}
