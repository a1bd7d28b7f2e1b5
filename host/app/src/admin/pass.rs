//! How long whoever asks may go on.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::sleep;
use trellis_claims::{Bearer, Clock, PublicKey, Scope, SystemClock};
use trellis_core::{CallError, Code};

use super::answers::{Refused, status_of};
use super::working::Working;
use crate::asker::Asker;
use crate::identity::Identity;
use crate::places::{Claimant, Places};

/// Who asks, and until when they may.
pub(super) struct Admitted {
    pub(super) asker: Asker,
    /// `None` for the host's user, and for what anybody may ask.
    pub(super) pass: Option<Pass>,
}

/// A token that held when it was shown. It ends with its time, and with what its user may do.
pub(super) struct Pass {
    user: PublicKey,
    scope: Scope,
    expires_unix_s: u64,
}

impl Admitted {
    /// Somebody who need not show a token.
    pub(super) const fn known(asker: Asker) -> Self {
        Self { asker, pass: None }
    }

    /// A user from there, who showed this.
    pub(super) fn user(bearer: &Bearer, from: SocketAddr) -> Self {
        let (user, scope) = (bearer.user().clone(), bearer.scope());
        let asker = Asker::User { key: Box::new(user.clone()), from };
        let expires_unix_s = bearer.expires_unix_s();
        Self { asker, pass: Some(Pass { user, scope, expires_unix_s }) }
    }

    /// Takes one of these places, for as long as the connection lasts.
    ///
    /// # Errors
    /// [`Code::Busy`] when there is none.
    pub(super) fn takes(&self, places: &Places, working: &Working) -> Result<(), Refused> {
        let place = places.admit(&self.claimant()).map_err(|full| {
            let cure = "Ask again once one of them has ended; these limits are not settings.";
            let refused = Refused::new(status_of(full.code()), full, cure);
            refused.because("As many as may be are under way at once.")
        })?;
        working.holds(place);
        Ok(())
    }

    /// Who it is among those who share places: nobody wants one without a token but the host's
    /// user.
    fn claimant(&self) -> Claimant {
        match &self.pass {
            Some(pass) => {
                let key = Box::new(pass.user.clone());
                Claimant::User { key, is_admin: pass.scope >= Scope::Admin }
            }
            None => Claimant::Owner,
        }
    }
}

/// What to do about a stream that ended for this reason, where its code does not tell.
pub(super) const fn cure_of_end(code: Code) -> Option<&'static str> {
    match code {
        Code::Expired => Some("Make another token, with `trellis token create`, and go on."),
        Code::Denied => Some(
            "Ask for less, with a smaller `--scope`; or have the user's `scope` under `host: \
             {admin: {users: …}}` in the manifest made larger.",
        ),
        _ => None,
    }
}

impl Pass {
    /// Waits until it holds no longer, and says why.
    pub(super) async fn ends(&self, identity: &Identity) -> CallError {
        loop {
            let changed = identity.users_changed();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            if identity.allows(&self.user).is_none_or(|most| most < self.scope) {
                // Shown again, the token would be refused.
                let message = format!("{} may do less than the token is for by now", self.user);
                return CallError::new(Code::Denied, message);
            }
            let left_s = self.expires_unix_s.saturating_sub(SystemClock.now_unix_s());
            if left_s == 0 {
                return CallError::new(Code::Expired, "the token has expired");
            }
            tokio::select! {
                () = changed => {}
                () = sleep(Duration::from_secs(left_s)) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use trellis_claims::{KeyKind, KeyPair, TrustList};
    use trellis_manifest::{AdminScope, AdminUserSpec, Manifest, Span, Spanned};

    use super::*;

    #[tokio::test]
    async fn a_pass_ends_with_its_time_and_with_what_its_user_may() {
        let user = KeyPair::generate(KeyKind::User).public().clone();
        let host = KeyPair::generate(KeyKind::Server);
        let identity = Identity::new(host.public().clone(), &SystemClock);
        let allow = |scope: Option<AdminScope>| {
            let key = Spanned::new(user.to_string(), Span::default());
            let users = scope.map(|scope| AdminUserSpec { key, scope });
            let mut manifest = Manifest::default();
            manifest.host.admin_users = users.into_iter().collect();
            identity.runs("a.yaml".as_ref(), &manifest, &TrustList::default());
        };
        let now_s = SystemClock.now_unix_s();
        let pass =
            |expires_unix_s| Pass { user: user.clone(), scope: Scope::Operate, expires_unix_s };
        let (whole, over) = (pass(now_s + 1_000), pass(now_s - 1));
        allow(Some(AdminScope::Operate));
        assert_eq!(over.ends(&identity).await.code(), Code::Expired);
        for less in [Some(AdminScope::Read), None] {
            let mut ends = Box::pin(whole.ends(&identity));
            assert!(ends.as_mut().now_or_never().is_none(), "it holds");
            allow(Some(AdminScope::Admin));
            assert!(ends.as_mut().now_or_never().is_none(), "it may do more");
            allow(less);
            let ended = ends.as_mut().now_or_never().expect("it ends at once");
            assert_eq!(ended.code(), Code::Denied, "{less:?}");
            allow(Some(AdminScope::Operate));
        }
        let soon = pass(now_s + 1);
        assert_eq!(soon.ends(&identity).await.code(), Code::Expired, "while it is waited for");
    }
}
