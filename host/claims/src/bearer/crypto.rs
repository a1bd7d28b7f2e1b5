//! The arithmetic behind `jsonwebtoken`: Ed25519 under nkeys, checked as strictly as everywhere in
//! this crate, and no other algorithm.
//!
//! The library takes keys as bytes. Here these are the texts of nkeys, so that no second form of a
//! key is needed.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind, new_error};
use jsonwebtoken::signature::{self, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};

use crate::nkey::{KeyPair, PublicKey};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| Ok(Box::new(Own(signing(*algorithm, key)?))),
    verifier_factory: |algorithm, key| Ok(Box::new(Own(verifying(*algorithm, key)?))),
    key_utils: KeyUtils::new_unimplemented(),
};

/// A key of ours, as the library uses one.
struct Own<K>(K);

/// The key of a user, for the library.
pub(super) fn verifying_key(user: &PublicKey) -> DecodingKey {
    install();
    DecodingKey::from_ed_der(user.as_str().as_bytes())
}

/// The key pair of a user, for the library, which wipes its copy too.
pub(super) fn signing_key(user: &KeyPair) -> EncodingKey {
    install();
    EncodingKey::from_ed_der(user.seed().expose().as_bytes())
}

/// The library has one provider for the process. Should it be another one, it knows no nkeys, and
/// no token holds.
fn install() {
    // An error says that it is there already.
    let _ = PROVIDER.install_default();
}

fn verifying(algorithm: Algorithm, key: &DecodingKey) -> Result<PublicKey, Error> {
    let text = text(algorithm, key.try_get_as_bytes()?)?;
    PublicKey::parse(text).map_err(|_| new_error(ErrorKind::InvalidEddsaKey))
}

fn signing(algorithm: Algorithm, key: &EncodingKey) -> Result<KeyPair, Error> {
    let text = text(algorithm, key.as_bytes())?;
    KeyPair::from_seed(text).map_err(|_| new_error(ErrorKind::InvalidEddsaKey))
}

fn text(algorithm: Algorithm, key: &[u8]) -> Result<&str, Error> {
    if algorithm != Algorithm::EdDSA {
        return Err(new_error(ErrorKind::InvalidAlgorithm));
    }
    std::str::from_utf8(key).map_err(|_| new_error(ErrorKind::InvalidEddsaKey))
}

impl Verifier<Vec<u8>> for Own<PublicKey> {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let signature = signature.as_slice().try_into().map_err(|_| signature::Error::new())?;
        self.0.verify_strict(message, signature).map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Own<PublicKey> {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

impl Signer<Vec<u8>> for Own<KeyPair> {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(self.0.sign(message).to_vec())
    }
}

impl JwtSigner for Own<KeyPair> {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}
