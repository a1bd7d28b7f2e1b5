//! `docs/manifest.md` has a row for each value of each provider, in the words of its descriptor.

use std::path::Path;

use trellis_app::providers::BUILTINS;
use trellis_providers_sdk::{Scope, Setting, SettingKind};

#[test]
fn every_value_of_every_provider_is_documented() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/manifest.md");
    let page = std::fs::read_to_string(path).expect("the page");
    let settings = BUILTINS.iter().flat_map(|builtin| (builtin.descriptor)().settings);
    let missing: String = settings
        .map(row)
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
    let form = match setting.kind {
        SettingKind::Text => "text".to_owned(),
        SettingKind::Integer { min, max } => format!("{min} to {max}"),
        SettingKind::Boolean => "`true` or `false`".to_owned(),
        SettingKind::Duration => "time".to_owned(),
        SettingKind::Size => "size".to_owned(),
        SettingKind::Choice(words) => {
            words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or ")
        }
    };
    let default = match setting.default {
        None => "-".to_owned(),
        Some("") => "empty".to_owned(),
        Some(default) => format!("`{default}`"),
    };
    format!("| `{}` | {scope} | {form} | {default} | {} |", setting.key, setting.doc)
}
