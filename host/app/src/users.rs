//! Who may use the admin API over the network, as the manifest says.

use std::collections::BTreeMap;

use trellis_claims::{ClaimsError, KeyKind, PublicKey, Scope};
use trellis_manifest::{AdminScope, AdminUserSpec, Problem};

/// Users by their keys, each with the most that it may do.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Users(BTreeMap<PublicKey, Scope>);

impl Users {
    /// The users of a manifest. A key that is none is nobody's.
    pub(crate) fn of(specs: &[AdminUserSpec]) -> Self {
        let user = |spec: &AdminUserSpec| Some((key(spec).ok()?, scope(spec.scope)));
        Self(specs.iter().filter_map(user).collect())
    }

    /// What is wrong with the keys of users.
    pub(crate) fn problems(specs: &[AdminUserSpec]) -> impl Iterator<Item = Problem> + '_ {
        specs.iter().filter_map(|spec| {
            let error = key(spec).err()?;
            let help = "write a user key (`U...`): `trellis keys gen user` makes one, and `trellis \
                        keys list` shows yours";
            Some(Problem::new(spec.key.span, error.message()).code(error.code()).help(help))
        })
    }

    /// True when nobody is one.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The most that a user may do; `None` for a key that is nobody's.
    pub(crate) fn scope_of(&self, user: &PublicKey) -> Option<Scope> {
        self.0.get(user).copied()
    }
}

fn key(spec: &AdminUserSpec) -> Result<PublicKey, ClaimsError> {
    PublicKey::parse_kind(&spec.key.value, KeyKind::User)
}

const fn scope(written: AdminScope) -> Scope {
    match written {
        AdminScope::Read => Scope::Read,
        AdminScope::Operate => Scope::Operate,
        AdminScope::Admin => Scope::Admin,
    }
}

#[cfg(test)]
mod tests {
    use trellis_claims::KeyPair;
    use trellis_core::Code;
    use trellis_manifest::{Span, Spanned};

    use super::*;

    #[test]
    fn only_user_keys_are_users() {
        let (user, account) =
            (KeyPair::generate(KeyKind::User), KeyPair::generate(KeyKind::Account));
        let spec = |key: &str| AdminUserSpec {
            key: Spanned::new(key.to_owned(), Span::default()),
            scope: AdminScope::Operate,
        };
        let specs = [user.public().as_str(), account.public().as_str(), "UA"].map(spec);
        let users = Users::of(&specs);
        assert_eq!(users.scope_of(user.public()), Some(Scope::Operate));
        assert_eq!(users.scope_of(account.public()), None);
        let codes: Vec<_> = Users::problems(&specs).map(|problem| problem.code).collect();
        assert_eq!(codes, [Code::Key, Code::Key]);
    }
}
