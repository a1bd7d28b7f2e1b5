//! What a signature says about a provider that comes as an archive: the one way to a
//! [`VerifiedProvider`].

use std::sync::Arc;

use serde_json::Value;

use crate::actor::check_revision;
use crate::clock::Clock;
use crate::error::ClaimsError;
use crate::inspect::Check;
use crate::nkey::{KeyKind, PublicKey};
use crate::token::{Parts, Provider, Standard, Token};
use crate::trust::TrustList;

/// Proof that a provider's token passed [`verify_provider`]; nothing else makes one. It vouches for
/// the programs whose hashes it names. Cheap to clone.
#[derive(Clone, Debug)]
pub struct VerifiedProvider(Arc<Checked>);

#[derive(Debug)]
struct Checked {
    subject: PublicKey,
    token: Token<Provider>,
}

/// Checks a provider's token before anything that it vouches for runs: form, signature, time,
/// revocation, issuer, in this order.
///
/// # Errors
/// `E_TOKEN`, `E_KEY`, `E_SIGNATURE`, `E_EXPIRED`, `E_NOT_YET`, `E_REVOKED` or `E_ISSUER`.
pub fn verify_provider(
    token: &str,
    trust: &TrustList,
    clock: &dyn Clock,
) -> Result<VerifiedProvider, ClaimsError> {
    let token = Token::<Provider>::decode(token)?;
    let subject = PublicKey::parse_kind(&token.standard.subject, KeyKind::Service)?;
    let verified = VerifiedProvider(Arc::new(Checked { subject, token }));
    verified.recheck(trust, clock)?;
    Ok(verified)
}

impl VerifiedProvider {
    /// Whether it may take the place of `former`: one of another key may, of the same key none of
    /// an older revision.
    ///
    /// # Errors
    /// [`Code::Revision`](trellis_core::Code::Revision), with the cure.
    pub fn check_succeeds(&self, former: &Self) -> Result<(), ClaimsError> {
        if self.subject() != former.subject() {
            return Ok(());
        }
        check_revision(self.body().revision, former.body().revision)
    }

    /// The claims of a provider.
    #[must_use]
    pub fn body(&self) -> &Provider {
        &self.0.token.body
    }

    /// The claims every kind of token has.
    #[must_use]
    pub fn standard(&self) -> &Standard {
        &self.0.token.standard
    }

    /// The provider's own key, of kind service.
    #[must_use]
    pub fn subject(&self) -> &PublicKey {
        &self.0.subject
    }

    /// The account that signed.
    #[must_use]
    pub fn issuer(&self) -> &PublicKey {
        &self.0.token.standard.issuer
    }

    /// Checks again what may have changed since [`verify_provider`]: time, and the trust list.
    ///
    /// # Errors
    /// `E_EXPIRED`, `E_NOT_YET`, `E_REVOKED` or `E_ISSUER`.
    pub fn recheck(&self, trust: &TrustList, clock: &dyn Clock) -> Result<(), ClaimsError> {
        self.check_time(clock)?;
        trust.check(self.issuer(), self.subject())
    }

    /// Checks the time window again.
    ///
    /// # Errors
    /// `E_EXPIRED` or `E_NOT_YET`.
    pub fn check_time(&self, clock: &dyn Clock) -> Result<(), ClaimsError> {
        self.standard().check_time(clock)
    }
}

/// Both are the same when the same claims were signed at the same time.
impl PartialEq for VerifiedProvider {
    fn eq(&self, other: &Self) -> bool {
        self.0.token == other.0.token
    }
}

/// What [`inspect_provider`] found.
#[derive(Clone, Debug)]
pub struct ProviderInspection {
    /// The token's claims as JSON, whether they hold or not.
    pub raw_claims: Option<Value>,
    /// The claims, when the token's form is right; they may still be forged.
    pub claims: Option<Token<Provider>>,
    /// Is the token's form right?
    pub form: Check,
    /// Did the issuer sign the token?
    pub signature: Check,
}

/// Looks at a provider's token. It never fails and decides nothing; the checks tell what is wrong.
#[must_use]
pub fn inspect_provider(token: &str) -> ProviderInspection {
    let mut seen = ProviderInspection {
        raw_claims: None,
        claims: None,
        form: Check::Skipped,
        signature: Check::Skipped,
    };
    let form = Parts::split(token.as_bytes()).and_then(|parts| {
        seen.raw_claims = Some(Value::Object(parts.raw_claims().clone()));
        let claims: Token<Provider> = parts.read()?;
        seen.signature = Check::of(parts.check_signature(&claims.standard.issuer));
        seen.claims = Some(claims);
        Ok(())
    });
    seen.form = Check::of(form);
    seen
}
