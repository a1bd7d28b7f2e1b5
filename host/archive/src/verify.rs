//! The checks that a host makes before it runs anything of an archive.

use trellis_claims::{Clock, TrustList, VerifiedProvider, verify_provider};
use trellis_core::{CallError, Code};

use crate::program::{Programs, check_hash, listed};
use crate::reader::Reader;
use crate::target::Target;

/// An archive that passed [`verify()`]; nothing else makes one.
#[derive(Clone, Debug)]
pub struct Verified {
    claims: VerifiedProvider,
    programs: Programs,
    digest: [u8; 32],
    program: Vec<u8>,
}

/// Checks an archive for a host on `target`: the token's form, signature and time window,
/// revocations and the issuer; then that every program in it is the one that was signed, and that
/// one is for this platform. Nothing is unpacked before the token holds.
///
/// # Errors
/// [`Code::Archive`] for what is no archive; those of [`verify_provider`]; [`Code::Hash`] for a
/// program that was not signed; [`Code::NotFound`] when there is none for `target`, with those
/// there are.
pub fn verify(
    archive: &[u8],
    target: &Target,
    trust: &TrustList,
    clock: &dyn Clock,
) -> Result<Verified, CallError> {
    let reader = Reader::open(archive)?;
    let claims = verify_provider(reader.token(), trust, clock)?;
    let mut programs = reader.programs(|one| one == target)?;
    for (target, program) in &programs {
        check_hash(claims.body(), target, program)?;
    }
    let wanted = programs.get_mut(target);
    let found = wanted.and_then(|program| Some((program.digest, program.content.take()?)));
    let Some((digest, program)) = found else {
        let there = listed(programs.keys().map(Target::as_str));
        let text = format!("it has no program for {target}; it has: {there}");
        return Err(CallError::new(Code::NotFound, text));
    };
    Ok(Verified { claims, programs, digest, program })
}

impl Verified {
    /// What was signed.
    #[must_use]
    pub const fn claims(&self) -> &VerifiedProvider {
        &self.claims
    }

    /// Every program in it, without what it holds.
    #[must_use]
    pub const fn programs(&self) -> &Programs {
        &self.programs
    }

    /// SHA-256 of the program for the platform that was asked for.
    #[must_use]
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// That program.
    #[must_use]
    pub fn program(&self) -> &[u8] {
        &self.program
    }
}
