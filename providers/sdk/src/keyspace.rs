//! Whose data a binding sees: the same values and the same meaning for every provider that keeps
//! data for actors.

use crate::setting::{Scope, Setting, SettingKind};
use crate::values::{ValueError, Values};

/// Whose data a binding sees.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Keyspace<'a> {
    /// The actor's own, which no other actor sees.
    Own,
    /// That of every binding that gives this `NAMESPACE`.
    Named(&'a str),
    /// That of every binding that says `SHARED: true`.
    Shared,
}

impl<'a> Keyspace<'a> {
    /// The value that names a keyspace.
    pub const NAMESPACE: Setting = Setting::new(
        "NAMESPACE",
        Scope::Binding,
        SettingKind::Text,
        None,
        "Whose keys the actor sees: bindings with the same name share them. Default: the actor's \
         own key, so that no other actor sees them.",
    );
    /// The value that chooses the shared keyspace.
    pub const SHARED: Setting = Setting::new(
        "SHARED",
        Scope::Both,
        SettingKind::Boolean,
        Some("false"),
        "`true`: the actor sees the keys of every other binding that says so, instead of its own.",
    );

    /// Reads a binding's `NAMESPACE` and `SHARED`, already laid over the provider's. The name wins,
    /// so that a binding can give one under a provider whose bindings are shared.
    ///
    /// # Errors
    /// When the name is empty, or `SHARED` is neither `true` nor `false`.
    pub fn read(values: &'a Values) -> Result<Self, ValueError> {
        let shared = values.boolean("SHARED")?.unwrap_or(false);
        match (values.get("NAMESPACE"), shared) {
            (Some(""), _) => Err(ValueError::new("NAMESPACE", "NAMESPACE must not be empty")
                .help("leave it out, and the actor has keys of its own")),
            (Some(name), _) => Ok(Self::Named(name)),
            (None, true) => Ok(Self::Shared),
            (None, false) => Ok(Self::Own),
        }
    }

    /// The keyspace's name for a binding of `actor`: different for those that see different keys.
    /// The shared one has the empty name, which nobody can give.
    #[must_use]
    pub const fn name(self, actor: &'a str) -> &'a str {
        match self {
            Self::Own => actor,
            Self::Named(name) => name,
            Self::Shared => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> Values {
        pairs.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn keys_are_the_actors_own_unless_the_binding_says_so() {
        for (pairs, expected) in [
            (&[][..], Keyspace::Own),
            (&[("SHARED", "false")], Keyspace::Own),
            (&[("SHARED", "true")], Keyspace::Shared),
            (&[("NAMESPACE", "n")], Keyspace::Named("n")),
            (&[("NAMESPACE", "n"), ("SHARED", "true")], Keyspace::Named("n")),
        ] {
            assert_eq!(Keyspace::read(&values(pairs)), Ok(expected), "{pairs:?}");
        }
        for key in ["NAMESPACE", "SHARED"] {
            let error = Keyspace::read(&values(&[(key, "")])).expect_err("an empty text");
            assert_eq!(error.key, key);
        }
    }

    #[test]
    fn a_former_key_as_a_name_finds_what_the_actor_kept() {
        assert_eq!(Keyspace::Own.name("MFORMER"), Keyspace::Named("MFORMER").name("MNEW"));
        assert_eq!(Keyspace::Shared.name("MFORMER"), "", "the one name that nobody can give");
    }
}
