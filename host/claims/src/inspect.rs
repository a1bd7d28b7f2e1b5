//! What a module's claims say and which checks hold. It is for people and decides nothing.

use serde_json::Value;

use crate::actor::ActorClaims;
use crate::error::ClaimsError;
use crate::hash::Digests;
use crate::section;
use crate::token::Parts;

/// Everything [`inspect()`] found.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// SHA-256 of the whole file.
    pub digest: [u8; 32],
    /// The claims section's name, when there is one and it is where it must be.
    pub section_name: Option<&'static str>,
    /// Is there at most one claims section, at top level, last, in a sound row of sections?
    pub section: Check,
    /// The token as text.
    pub token: Option<String>,
    /// The token's claims as JSON, whether they hold or not.
    pub raw_claims: Option<Value>,
    /// The claims, when the token's form is right; they may still be forged.
    pub claims: Option<ActorClaims>,
    /// Is the token's form right?
    pub form: Check,
    /// Did the issuer sign the token?
    pub signature: Check,
    /// Are these the bytes that were signed?
    pub hash: Check,
}

/// How a check ended.
#[derive(Clone, Default, Debug)]
pub enum Check {
    /// It holds.
    Passed,
    /// It does not.
    Failed(ClaimsError),
    /// There was nothing to check, or an earlier check failed.
    #[default]
    Skipped,
}

impl Check {
    /// True when the check was made and holds.
    #[must_use]
    pub const fn passed(&self) -> bool {
        matches!(self, Self::Passed)
    }

    /// The name of the state in JSON: `passed`, `failed` or `skipped`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "failed",
            Self::Skipped => "skipped",
        }
    }

    /// Why it does not hold.
    #[must_use]
    pub const fn error(&self) -> Option<&ClaimsError> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Passed | Self::Skipped => None,
        }
    }

    pub(crate) fn of(result: Result<(), ClaimsError>) -> Self {
        result.map_or_else(Self::Failed, |()| Self::Passed)
    }
}

impl Inspection {
    /// The first check that failed, in the order of [`crate::verify()`].
    #[must_use]
    pub fn problem(&self) -> Option<&ClaimsError> {
        [&self.section, &self.form, &self.signature, &self.hash].into_iter().find_map(Check::error)
    }

    /// True when the module has no claims section and nothing is wrong with that.
    #[must_use]
    pub fn is_unsigned(&self) -> bool {
        self.section.passed() && self.section_name.is_none()
    }
}

/// Looks at a module's claims. It never fails; the checks tell what is wrong.
#[must_use]
pub fn inspect(module: &[u8]) -> Inspection {
    let mut seen = Inspection {
        digest: Digests::of(module, module.len()).file,
        section_name: None,
        section: Check::Passed,
        token: None,
        raw_claims: None,
        claims: None,
        form: Check::Skipped,
        signature: Check::Skipped,
        hash: Check::Skipped,
    };
    match section::locate(module) {
        Err(error) => seen.section = Check::Failed(error),
        Ok(None) => {}
        Ok(Some(section)) => {
            seen.section_name = Some(section.name);
            seen.token = Some(String::from_utf8_lossy(section.token).into_owned());
            let form = look_into(&mut seen, module, &section);
            seen.form = Check::of(form);
        }
    }
    seen
}

fn look_into(
    seen: &mut Inspection,
    module: &[u8],
    section: &section::ClaimsSection<'_>,
) -> Result<(), ClaimsError> {
    let parts = Parts::split(section.token)?;
    seen.raw_claims = Some(Value::Object(parts.raw_claims().clone()));
    let claims = ActorClaims::unverified(&parts)?;
    seen.signature = Check::of(parts.check_signature(&claims.issuer));
    let digests = Digests::of(module, section.start);
    seen.hash = Check::of(digests.check(module, section, &claims.hash, claims.wascap_revision));
    seen.claims = Some(claims);
    Ok(())
}
