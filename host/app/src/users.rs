//! Who may use the admin API over the network, as the manifest says.

use std::collections::BTreeMap;

use trellis_claims::{ClaimsError, KeyKind, PublicKey, Scope, TrustList};
use trellis_manifest::{AdminScope, AdminUserSpec, Problem, ReadableUser};

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

    /// The same without those that a text does not have any more, each with no more than it says:
    /// a text alone gives nobody anything.
    pub(crate) fn narrowed_by(&mut self, text: &TextUsers) {
        let TextUsers(Some(left)) = text else { return };
        self.0.retain(|user, allowed| match left.get(user) {
            Some(scope) => {
                *allowed = scope.map_or(*allowed, |scope| scope.min(*allowed));
                true
            }
            None => false,
        });
    }

    /// The same without those whose keys are revoked.
    pub(crate) fn without_revoked(&mut self, trust: &TrustList) {
        self.0.retain(|user, _| !trust.is_revoked(user));
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

/// The users that a text has by itself, right or wrong: each with the most that it may do, if that
/// can be read. `None` takes nobody out.
#[derive(Clone, Default)]
pub(crate) struct TextUsers(Option<BTreeMap<PublicKey, Option<Scope>>>);

impl TextUsers {
    /// Those of a text that is right.
    pub(crate) fn of_right(specs: &[AdminUserSpec]) -> Self {
        let Users(users) = Users::of(specs);
        Self(Some(users.into_iter().map(|(key, scope)| (key, Some(scope))).collect()))
    }

    /// Those of one that is wrong.
    pub(crate) fn of_wrong(users: Option<Vec<ReadableUser>>) -> Self {
        let user = |user: ReadableUser| {
            let key = PublicKey::parse_kind(&user.key, KeyKind::User).ok()?;
            Some((key, user.scope.map(scope)))
        };
        Self(users.map(|users| users.into_iter().filter_map(user).collect()))
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

    #[test]
    fn a_text_alone_takes_away_and_gives_nothing() {
        let [ada, bob, eve] = [(); 3].map(|()| KeyPair::generate(KeyKind::User).public().clone());
        let spec = |(key, scope): (&PublicKey, AdminScope)| AdminUserSpec {
            key: Spanned::new(key.to_string(), Span::default()),
            scope,
        };
        let of = |users: &[(&PublicKey, AdminScope)]| -> Vec<_> {
            users.iter().copied().map(spec).collect()
        };
        let before = || Users::of(&of(&[(&ada, AdminScope::Admin), (&bob, AdminScope::Read)]));
        let narrowed = |text: &TextUsers| {
            let mut users = before();
            users.narrowed_by(text);
            [&ada, &bob, &eve].map(|user| users.scope_of(user))
        };
        let (read, admin) = (Some(Scope::Read), Some(Scope::Admin));
        let text = of(&[(&bob, AdminScope::Admin), (&eve, AdminScope::Admin)]);
        assert_eq!(narrowed(&TextUsers::of_right(&text)), [None, read, None]);
        let text = of(&[(&ada, AdminScope::Read)]);
        assert_eq!(narrowed(&TextUsers::of_right(&text)), [read, None, None]);
        assert_eq!(narrowed(&TextUsers::of_wrong(None)), [admin, read, None]);
        let unclear = vec![ReadableUser { key: ada.to_string(), scope: None }];
        assert_eq!(narrowed(&TextUsers::of_wrong(Some(unclear))), [admin, None, None]);
        let mut users = before();
        users.without_revoked(&TrustList::new(0).revoke(&ada).expect("a user"));
        assert_eq!((users.scope_of(&ada), users.scope_of(&bob)), (None, read));
    }
}
