//! Making an archive, and taking one apart to make it anew.

use sha2::{Digest, Sha256};
use trellis_claims::KeyPair;
use trellis_claims::hash::hex;
use trellis_claims::token::{Provider, Terms, Token, issue};
use trellis_core::CallError;

use crate::program::check_hash;
use crate::reader::Reader;
use crate::target::Target;
use crate::write::{Contents, Form, write};

/// Signs programs and packs them: the same terms, claims, programs and key give the same bytes. The
/// hashes in the claims are made here.
///
/// # Errors
/// Those of [`issue`]; [`trellis_core::Code::Archive`] for an archive that would not be read back.
pub fn seal(
    (terms, mut claims): (&Terms, Provider),
    programs: &Contents,
    issuer: &KeyPair,
    form: Form,
) -> Result<Vec<u8>, CallError> {
    let hash = |(target, program): (&Target, &Vec<u8>)| {
        (target.to_string(), hex(&Sha256::digest(program)))
    };
    claims.target_hashes = programs.iter().map(hash).collect();
    let token = issue(terms, &claims, issuer)?;
    let archive = write(&token, programs, form)?;
    Reader::open(&archive)?.programs(|_| false)?;
    Ok(archive)
}

/// What an archive holds, to be signed again: its token and its programs, all of which are what was
/// signed. Whether its issuer is trusted and whether it has expired is not asked.
///
/// # Errors
/// [`trellis_core::Code::Archive`]; those of [`Token::decode`]; [`trellis_core::Code::Hash`] for a
/// program that was not signed.
pub fn take_apart(archive: &[u8]) -> Result<(Token<Provider>, Contents), CallError> {
    let reader = Reader::open(archive)?;
    let token = Token::<Provider>::decode(reader.token())?;
    let programs = reader.programs(|_| true)?;
    let content = programs.into_iter().map(|(target, program)| {
        check_hash(&token.body, &target, &program)?;
        Ok((target, program.content.unwrap_or_default()))
    });
    let content = content.collect::<Result<_, CallError>>()?;
    Ok((token, content))
}
