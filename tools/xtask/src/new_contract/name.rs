//! The name of a contract that does not exist yet.

use anyhow::{Result, ensure};

/// Longest name; with the namespace it still is a name the host takes.
const NAME_BYTES_MAX: usize = 64;

/// Folders beside the contracts, and words that cannot name a Rust module.
const TAKEN: [&str; 6] = ["all", "conformance", "core", "macros", "sdk", "test"];

/// A name in its spellings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ContractName {
    namespace: String,
    folder: String,
}

impl ContractName {
    /// Reads a name such as `door-bell`.
    ///
    /// # Errors
    /// When it is no WIT name, or cannot be a folder or a Rust module here.
    pub(super) fn new(namespace: &str, folder: &str) -> Result<Self> {
        for word in [namespace, folder] {
            ensure!(
                is_kebab(word) && word.len() <= NAME_BYTES_MAX,
                "`{word}` is no name of a contract: words of lower-case letters and digits, each \
                 beginning with a letter, joined by `-`, at most {NAME_BYTES_MAX} bytes"
            );
        }
        ensure!(!TAKEN.contains(&folder), "`{folder}` has another meaning here: choose another");
        let name = Self { namespace: namespace.to_owned(), folder: folder.to_owned() };
        ensure!(
            syn::parse_str::<syn::Ident>(&name.module()).is_ok(),
            "`{folder}` is a word of Rust: choose another"
        );
        Ok(name)
    }

    /// `door-bell`: folders, crates, the provider's name in a manifest.
    pub(super) fn folder(&self) -> &str {
        &self.folder
    }

    /// `door_bell`: Rust modules.
    pub(super) fn module(&self) -> String {
        self.folder.replace('-', "_")
    }

    /// `DoorBell`: the provider's type.
    pub(super) fn type_name(&self) -> String {
        let capital = |word: &str| {
            let (first, rest) = word.split_at(1);
            first.to_ascii_uppercase() + rest
        };
        self.folder.split('-').map(capital).collect()
    }

    /// `trellis:door-bell`: the WIT package.
    pub(super) fn package(&self) -> String {
        format!("{}:{}", self.namespace, self.folder)
    }

    /// `trellis:door_bell`: the contract's id.
    pub(super) fn id(&self) -> String {
        self.package().replace('-', "_")
    }
}

/// Words of ASCII letters and digits that begin with a letter, in lower case, joined by hyphens.
fn is_kebab(text: &str) -> bool {
    text.split('-').all(|word| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_its_spellings() {
        let name = ContractName::new("trellis", "door-bell2").expect("a name");
        assert_eq!(
            (name.module().as_str(), name.type_name().as_str()),
            ("door_bell2", "DoorBell2")
        );
        assert_eq!(name.package(), "trellis:door-bell2");
        assert_eq!(name.id(), "trellis:door_bell2");
    }

    #[test]
    fn what_could_not_be_built_is_refused() {
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        for name in ["", "Door", "door_bell", "-door", "door-", "2door", "a/b", "über", &long] {
            assert!(ContractName::new("trellis", name).is_err(), "{name}");
            assert!(ContractName::new(name, "door").is_err(), "{name}");
        }
        for name in ["core", "sdk", "match", "type", "self"] {
            assert!(ContractName::new("trellis", name).is_err(), "{name}");
        }
    }
}
