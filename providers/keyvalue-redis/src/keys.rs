//! The names keys have in Redis. Its keys are one flat set of names, so that a shared key could be
//! spelled like another actor's private one; the mapping here leaves no such spelling.
//!
//! With `␟` for [`SEPARATOR`], which neither `PREFIX` nor the name of a keyspace may contain:
//!
//! | keyspace | key | name in Redis |
//! |---|---|---|
//! | an actor's own, or a `NAMESPACE` | any | `PREFIX␟keyspace␟key` |
//! | shared | without `␟` | `PREFIXkey` |
//! | shared | with `␟` | `PREFIX␟␟key` |
//!
//! So a name without a separator is a shared key. In any other the first two separators tell
//! `PREFIX`, keyspace and key apart, whatever the key holds; only shared keys have the empty
//! keyspace.

use trellis_providers_sdk::{Keyspace, ValueError, Values};

/// ASCII's unit separator: no actor's key holds it, and hardly any other client's.
const SEPARATOR: char = '\u{1f}';

/// Maps the keys of one binding.
#[derive(Debug)]
pub(crate) struct Keys {
    /// What stands before a key.
    before: String,
    /// What stands before it when it holds no separator: a shared key keeps its name.
    before_plain: String,
}

impl Keys {
    /// The keys of a binding of `actor`.
    ///
    /// # Errors
    /// Naming the wrong value.
    pub(crate) fn of(values: &Values, actor: &str) -> Result<Self, ValueError> {
        for key in ["PREFIX", "NAMESPACE"] {
            if values.get(key).is_some_and(|text| text.contains(SEPARATOR)) {
                let sentence = format!("{key} must not contain the character U+001F");
                return Err(ValueError::new(key, sentence).help("it separates the parts of names"));
            }
        }
        let keyspace = Keyspace::read(values)?;
        let prefix = values.get("PREFIX").unwrap_or_default();
        let before = format!("{prefix}{SEPARATOR}{}{SEPARATOR}", keyspace.name(actor));
        let before_plain = match keyspace {
            Keyspace::Shared => prefix.to_owned(),
            Keyspace::Own | Keyspace::Named(_) => before.clone(),
        };
        Ok(Self { before, before_plain })
    }

    /// The key that has this name in Redis; `None` for a name that is none of the binding's. Bytes:
    /// other clients may write keys that are no text.
    pub(crate) fn key(&self, name: &[u8]) -> Option<Vec<u8>> {
        if let Some(key) = name.strip_prefix(self.before.as_bytes()) {
            // A shared key has such a name only when it holds a separator itself.
            return (self.is_private() || holds_separator(key)).then(|| key.to_owned());
        }
        let key = name.strip_prefix(self.before_plain.as_bytes())?;
        (!self.is_private() && !holds_separator(name)).then(|| key.to_owned())
    }

    /// A pattern of Redis that all names of the binding's keys have, and others may have.
    pub(crate) fn pattern(&self) -> String {
        let mut pattern = String::with_capacity(self.before_plain.len() + 1);
        for letter in self.before_plain.chars() {
            if matches!(letter, '*' | '?' | '[' | ']' | '\\' | '^' | '-') {
                pattern.push('\\');
            }
            pattern.push(letter);
        }
        pattern + "*"
    }

    /// How the names of the binding's keys begin, for one that is compared with others of the same
    /// [kind](Self::kind): names of the two kinds are never the same.
    pub(crate) fn beginning(&self) -> &str {
        &self.before_plain
    }

    /// Whether names have the form of shared ones.
    pub(crate) fn kind(&self) -> &'static str {
        if self.is_private() { "own" } else { "shared" }
    }

    /// True when every key of the server that is nobody's own is the binding's.
    pub(crate) const fn is_everybodys(&self) -> bool {
        self.before_plain.is_empty()
    }

    fn is_private(&self) -> bool {
        self.before == self.before_plain
    }

    /// The key's name in Redis.
    pub(crate) fn name(&self, key: &[u8]) -> Vec<u8> {
        let before = if holds_separator(key) { &self.before } else { &self.before_plain };
        [before.as_bytes(), key].concat()
    }
}

/// The separator is one byte, which is part of no other character.
fn holds_separator(bytes: &[u8]) -> bool {
    bytes.contains(&(SEPARATOR as u8))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn keys(prefix: &str, pairs: &[(&str, &str)], actor: &str) -> Keys {
        let pairs = pairs.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned()));
        let values = pairs.collect::<Values>().with("PREFIX", prefix);
        Keys::of(&values, actor).expect("the values are right")
    }

    /// Reviewed: data is kept under these names, so no change may move one.
    #[test]
    fn names_are_these() {
        let (own, named) = (&[][..], &[("NAMESPACE", "team:a")][..]);
        let shared = &[("SHARED", "true")][..];
        for (prefix, values, key, name) in [
            ("", own, "k", "\x1fMA\x1fk"),
            ("", own, "", "\x1fMA\x1f"),
            ("", own, "a\x1fb", "\x1fMA\x1fa\x1fb"),
            ("p:", own, "k", "p:\x1fMA\x1fk"),
            ("", named, "k", "\x1fteam:a\x1fk"),
            ("p:", named, "k:l", "p:\x1fteam:a\x1fk:l"),
            // As the originals wrote them, and every other client of the server does.
            ("", shared, "k", "k"),
            ("", shared, "", ""),
            ("", shared, ":MA:k", ":MA:k"),
            ("", shared, "MA:k%é\0\n", "MA:k%é\0\n"),
            ("p:", shared, "k", "p:k"),
            // The only ones that do not keep their name.
            ("", shared, "\x1fMA\x1fk", "\x1f\x1f\x1fMA\x1fk"),
            ("p:", shared, "a\x1f", "p:\x1f\x1fa\x1f"),
        ] {
            let named = keys(prefix, values, "MA").name(key.as_bytes());
            assert_eq!(named, name.as_bytes(), "{prefix:?} {values:?} {key:?}");
        }
    }

    #[test]
    fn no_two_keyspaces_have_a_name_in_common() {
        // What stands in the way, and every key of up to five of its parts.
        let parts = ["", "A", "B", ":", "\x1f"];
        let longer = |texts: Vec<String>| -> Vec<String> {
            texts.iter().flat_map(|text| parts.map(|part| format!("{text}{part}"))).collect()
        };
        let mut texts = (0..5).fold(vec![String::new()], |texts, _| longer(texts));
        texts.sort_unstable();
        texts.dedup();
        let mut seen: HashMap<Vec<u8>, (&str, String, String)> = HashMap::new();
        for prefix in ["", "A", ":", "A:"] {
            for (space, values) in [
                ("A", &[][..]),
                ("B", &[("NAMESPACE", "B")]),
                ("AB", &[("NAMESPACE", "AB")]),
                ("A:", &[("NAMESPACE", "A:")]),
                ("", &[("SHARED", "true")]),
            ] {
                let keys = keys(prefix, values, "A");
                for key in &texts {
                    let name = keys.name(key.as_bytes());
                    assert_eq!(keys.key(&name).as_deref(), Some(key.as_bytes()), "it reads back");
                    // Shared keys are one set of names, whatever part of a name is PREFIX.
                    let whole = if space.is_empty() && !key.contains(SEPARATOR) {
                        ("", String::new(), format!("{prefix}{key}"))
                    } else {
                        (prefix, space.to_owned(), key.clone())
                    };
                    let before = seen.insert(name, whole.clone());
                    assert!(before.is_none_or(|before| before == whole), "{whole:?}");
                }
            }
        }
    }

    #[test]
    fn a_name_is_read_as_a_key_by_its_own_keyspace_alone() {
        let (own, other) = (keys("p:", &[], "MA"), keys("p:", &[], "MB"));
        let shared = keys("p:", &[("SHARED", "true")], "MA");
        for key in ["k", "", "a\x1fb", "\x1fMA\x1fk"].map(str::as_bytes) {
            assert_eq!(own.key(&other.name(key)), None, "{key:?}");
            assert_eq!(own.key(&shared.name(key)), None, "{key:?}");
            assert_eq!(shared.key(&own.name(key)), None, "{key:?}");
        }
        assert_eq!(shared.key(b"q:k"), None, "another prefix");
        let odd = b"\xff\x1f\xfe";
        for keys in [&own, &shared] {
            assert_eq!(keys.key(&keys.name(odd)).as_deref(), Some(&odd[..]), "no text");
        }
        assert!(!shared.is_everybodys() && !own.is_everybodys());
        assert!(keys("", &[("SHARED", "true")], "MA").is_everybodys());
    }

    #[test]
    fn a_pattern_means_its_letters() {
        assert_eq!(keys("a*[b]?\\", &[("SHARED", "true")], "MA").pattern(), r"a\*\[b\]\?\\*");
        assert_eq!(keys("p:", &[], "MA").pattern(), "p:\x1fMA\x1f*");
    }

    #[test]
    fn the_separator_is_refused_where_it_would_be_ambiguous() {
        for key in ["PREFIX", "NAMESPACE"] {
            let error =
                Keys::of(&Values::default().with(key, "a\x1fb"), "MA").expect_err("refused");
            assert_eq!(error.key, key);
            assert!(error.message.contains("U+001F"), "{}", error.message);
        }
    }
}
