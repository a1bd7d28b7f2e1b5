//! The files of the skeleton, from templates whose `@WORDS@` are the name's spellings.

use super::name::ContractName;

/// A path and its text, both with `@WORDS@`.
type Template = (&'static str, &'static str);

const TEMPLATES: [Template; 13] = [
    ("capabilities/@NAME@/Cargo.toml", include_str!("template/contract-Cargo.toml.txt")),
    ("capabilities/@NAME@/@NAME@.wit", include_str!("template/contract.wit.txt")),
    ("capabilities/@NAME@/src/lib.rs", include_str!("template/contract-lib.rs.txt")),
    ("capabilities/@NAME@/tests/vectors.rs", include_str!("template/contract-vectors.rs.txt")),
    ("capabilities/@NAME@/vectors/@NAME@.json", include_str!("template/contract-vectors.json.txt")),
    ("providers/conformance/src/@MODULE@/mod.rs", include_str!("template/suite.rs.txt")),
    ("providers/@NAME@/Cargo.toml", include_str!("template/provider-Cargo.toml.txt")),
    ("providers/@NAME@/src/lib.rs", include_str!("template/provider-lib.rs.txt")),
    ("providers/@NAME@/src/provider.rs", include_str!("template/provider.rs.txt")),
    ("providers/@NAME@/tests/conformance.rs", include_str!("template/provider-conformance.rs.txt")),
    ("actors/@NAME@-demo/Cargo.toml", include_str!("template/actor-Cargo.toml.txt")),
    ("actors/@NAME@-demo/src/lib.rs", include_str!("template/actor-lib.rs.txt")),
    ("manifests/@NAME@.yaml", include_str!("template/manifest.yaml.txt")),
];

/// Every file of a new contract.
pub(super) fn files(name: &ContractName) -> Vec<(String, String)> {
    TEMPLATES.iter().map(|(path, text)| (filled(path, name), filled(text, name))).collect()
}

fn filled(template: &str, name: &ContractName) -> String {
    template
        .replace("@NAME@", name.folder())
        .replace("@MODULE@", &name.module())
        .replace("@TYPE@", &name.type_name())
        .replace("@PACKAGE@", &name.package())
        .replace("@ID@", &name.id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_is_left_open() {
        let name = ContractName::new("acme", "door-bell").expect("a name");
        let files = files(&name);
        for (path, text) in &files {
            assert!(!path.contains('@') && !text.contains('@'), "{path}:\n{text}");
        }
        let wit = &files.iter().find(|(path, _)| path.ends_with(".wit")).expect("the WIT file").1;
        assert!(wit.contains("package acme:door-bell;"), "{wit}");
    }
}
