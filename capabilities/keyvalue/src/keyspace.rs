//! Whose keys a binding sees: the same words and the same meaning for every store.

/// Whose keys a binding sees.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Keyspace<'a> {
    /// The actor's own, which no other actor sees.
    Own,
    /// Those of every binding that gives this `NAMESPACE`.
    Named(&'a str),
    /// Those of every binding that says `SHARED: true`.
    Shared,
}

impl<'a> Keyspace<'a> {
    /// Reads a binding's `NAMESPACE` and `SHARED`. The name wins, so that a binding can give one
    /// under a provider whose bindings are shared.
    ///
    /// # Errors
    /// A sentence that names the wrong value, when the name is empty.
    pub fn read(namespace: Option<&'a str>, shared: bool) -> Result<Self, &'static str> {
        match (namespace, shared) {
            (Some(""), _) => Err("NAMESPACE must not be empty"),
            (Some(name), _) => Ok(Self::Named(name)),
            (None, true) => Ok(Self::Shared),
            (None, false) => Ok(Self::Own),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_actors_own_unless_the_binding_says_so() {
        assert_eq!(Keyspace::read(None, false), Ok(Keyspace::Own));
        assert_eq!(Keyspace::read(None, true), Ok(Keyspace::Shared));
        assert_eq!(Keyspace::read(Some("n"), false), Ok(Keyspace::Named("n")));
        assert_eq!(Keyspace::read(Some("n"), true), Ok(Keyspace::Named("n")));
        assert!(Keyspace::read(Some(""), false).is_err_and(|text| text.starts_with("NAMESPACE")));
    }
}
