//! The name of what is made, in its spellings.

/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// What cannot name an interface, because it is a word of WIT.
const WIT_WORDS: &[&str] = &[
    "as",
    "async",
    "bool",
    "borrow",
    "char",
    "constructor",
    "enum",
    "error-context",
    "export",
    "f32",
    "f64",
    "flags",
    "from",
    "func",
    "future",
    "import",
    "include",
    "interface",
    "list",
    "map",
    "option",
    "own",
    "package",
    "record",
    "resource",
    "result",
    "s16",
    "s32",
    "s64",
    "s8",
    "static",
    "stream",
    "string",
    "tuple",
    "type",
    "u16",
    "u32",
    "u64",
    "u8",
    "use",
    "variant",
    "with",
    "world",
];

/// A name such as `door-bell`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Name(String);

impl Name {
    /// Reads a name: words of lower-case letters and digits, joined by hyphens.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let is_word = |word: &str| {
            word.starts_with(|c: char| c.is_ascii_lowercase())
                && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        };
        if text.len() > NAME_BYTES_MAX || !text.split('-').all(is_word) {
            return Err(format!(
                "a name is words of lower-case letters and digits that begin with a letter, joined \
                 by `-`, at most {NAME_BYTES_MAX} bytes"
            ));
        }
        if WIT_WORDS.contains(&text) {
            return Err("it is a word of WIT, in which contracts are written: add another".into());
        }
        Ok(Self(text.to_owned()))
    }

    /// `door-bell`: folders, and the provider's name.
    pub(super) fn kebab(&self) -> &str {
        &self.0
    }

    /// `door_bell`: the contract's id.
    pub(super) fn snake(&self) -> String {
        self.0.replace('-', "_")
    }

    /// `DoorBell`: types.
    pub(super) fn pascal(&self) -> String {
        let capital = |word: &str| {
            let (first, rest) = word.split_at(1);
            first.to_ascii_uppercase() + rest
        };
        self.0.split('-').map(capital).collect()
    }

    /// A text with this name in the place of the one that templates have.
    pub(super) fn fill(&self, template: &str) -> String {
        template
            .replace("new-name", self.kebab())
            .replace("new_name", &self.snake())
            .replace("NewName", &self.pascal())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_its_spellings() {
        let name = Name::parse("door-bell2").expect("a name");
        let filled = name.fill("new-name new_name NewNameTest");
        assert_eq!(filled, "door-bell2 door_bell2 DoorBell2Test");
    }

    #[test]
    fn what_is_no_name_everywhere_is_refused() {
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        for name in
            ["", "Door", "door_bell", "-door", "door-", "2door", "a/b", "über", "type", &long]
        {
            assert!(Name::parse(name).is_err(), "{name}");
        }
    }
}
