//! `docs/manifest.md` has a row for each value of each provider, in the words of its descriptor.

use std::path::Path;

use trellis_app::providers::builtins;
use trellis_providers_sdk::{Scope, Setting, SettingKind};

#[test]
fn every_value_of_every_provider_is_documented() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/manifest.md");
    let page = std::fs::read_to_string(path).expect("the page");
    let builtins = builtins();
    let settings = builtins.iter().flat_map(|factory| factory.descriptor().settings.into_owned());
    let missing: String = settings
        .map(|setting| row(&setting))
        .filter(|row| !page.lines().any(|line| line == row))
        .map(|row| row + "\n")
        .collect();
    assert!(missing.is_empty(), "docs/manifest.md lacks these rows:\n{missing}");
}

fn row(setting: &Setting) -> String {
    let scope = match setting.scope {
        Scope::Provider => "provider",
        Scope::Binding => "binding",
        Scope::Both => "both",
    };
    let words = |words: &[std::borrow::Cow<'_, str>]| {
        words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or ")
    };
    let form = match &setting.kind {
        SettingKind::Text => "text".to_owned(),
        SettingKind::Integer { min, max } => format!("{min} to {max}"),
        SettingKind::Boolean => "`true` or `false`".to_owned(),
        SettingKind::Duration => "time".to_owned(),
        SettingKind::Size => "size".to_owned(),
        SettingKind::Choice(choice) => words(choice),
        SettingKind::Path(others) => format!("path or {}", words(others)),
    };
    let default = match setting.default.as_deref() {
        None => "-".to_owned(),
        Some("") => "empty".to_owned(),
        Some(default) => format!("`{default}`"),
    };
    format!("| `{}` | {scope} | {form} | {default} | {} |", setting.key, setting.doc)
}
