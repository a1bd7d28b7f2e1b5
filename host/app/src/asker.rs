//! Who asks the admin API for something.

use std::fmt;
use std::net::SocketAddr;

use trellis_claims::{PublicKey, Scope};
use trellis_core::{CallError, Code};

use crate::identity::Identity;

/// Who asks the admin API for something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Asker {
    /// The user of the host, or root, over its socket.
    Owner,
    /// A user whom the manifest names, over the network.
    User {
        /// Its key.
        key: Box<PublicKey>,
        /// Where it asks from.
        from: SocketAddr,
    },
    /// Anybody, for what anybody may ask.
    Anybody,
}

impl Asker {
    /// Whether who asked for a change may still have it made: an order may have waited, and a user
    /// who was taken out meanwhile is out.
    ///
    /// # Errors
    /// [`Code::Denied`] for who is no user any more, or may do less by now.
    pub(crate) fn check_may_change(&self, identity: &Identity) -> Result<(), CallError> {
        match self {
            Self::Owner => Ok(()),
            Self::User { key, .. } if identity.allows(key) >= Some(Scope::Admin) => Ok(()),
            Self::User { key, .. } => {
                let text = format!("{key} may not change anything here any more");
                Err(CallError::new(Code::Denied, text))
            }
            Self::Anybody => Err(CallError::new(Code::Denied, "nobody is known to ask for this")),
        }
    }

    /// What the history calls it: `socket`, or the key of the user.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Owner => "socket".to_owned(),
            Self::User { key, .. } => key.to_string(),
            Self::Anybody => "anybody".to_owned(),
        }
    }
}

impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner => f.write_str("the host's user"),
            Self::User { key, from } => write!(f, "{key} at {from}"),
            Self::Anybody => f.write_str("anybody"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use trellis_claims::{KeyKind, KeyPair, SystemClock, TrustList};
    use trellis_manifest::{AdminScope, AdminUserSpec, Manifest, Span, Spanned};

    use super::*;
    use crate::users::TextUsers;

    #[test]
    fn who_was_taken_out_while_an_order_waited_is_out() {
        let key = |kind| KeyPair::generate(kind).public().clone();
        let [admin, reader] = [(); 2].map(|()| key(KeyKind::User));
        let spec = |key: &PublicKey, scope| AdminUserSpec {
            key: Spanned::new(key.to_string(), Span::default()),
            scope,
        };
        let identity = Identity::new(key(KeyKind::Server), &SystemClock);
        let mut manifest = Manifest::default();
        let users = [spec(&admin, AdminScope::Admin), spec(&reader, AdminScope::Operate)];
        manifest.host.admin_users = users.into();
        identity.runs(Path::new("a.yaml"), &manifest, &TrustList::default());
        let from = SocketAddr::from(([127, 0, 0, 1], 1));
        let asks = |key: &PublicKey| Asker::User { key: Box::new(key.clone()), from };
        let may = |asker: &Asker| asker.check_may_change(&identity).is_ok();
        assert!(may(&asks(&admin)) && may(&Asker::Owner));
        assert!(!may(&asks(&reader)) && !may(&Asker::Anybody));
        identity.keeps_only(&TextUsers::of_right(&[]), &TrustList::default());
        assert!(!may(&asks(&admin)) && may(&Asker::Owner));
    }
}
