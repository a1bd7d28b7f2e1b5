//! What signatures say of providers, as it is seen from outside.

use trellis_archive::Target;
use trellis_claims::{Verified, VerifiedProvider};
use trellis_control::SignedEntry;

use crate::prepare::PreparedProvider;

/// What its signature says of a provider; `None` of one that nobody has to vouch for.
pub(super) fn signed(provider: &PreparedProvider) -> Option<SignedEntry> {
    let module = provider.module.as_ref().map(|module| of_module(&module.verified));
    module.or_else(|| provider.claims.as_ref().map(of_archive))
}

fn of_module(verified: &Verified) -> SignedEntry {
    let claims = verified.claims();
    SignedEntry {
        key: claims.subject.to_string(),
        issuer: (!verified.is_unsigned()).then(|| claims.issuer.to_string()),
        revision: claims.revision,
        digest: Some(verified.digest().iter().map(|byte| format!("{byte:02x}")).collect()),
        expires_unix_s: claims.expires,
    }
}

fn of_archive(verified: &VerifiedProvider) -> SignedEntry {
    let body = verified.body();
    let digest = body.target_hashes.get(&Target::here().to_string());
    SignedEntry {
        key: verified.subject().to_string(),
        issuer: Some(verified.issuer().to_string()),
        revision: body.revision,
        digest: digest.map(|digest| digest.to_lowercase()),
        expires_unix_s: verified.standard().expires,
    }
}
