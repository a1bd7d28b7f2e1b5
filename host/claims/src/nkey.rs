//! nkeys: Ed25519 keys written so that people can tell them apart.
//!
//! A public key is 56 characters: base32 without padding of a prefix byte, 32 key bytes and a
//! CRC-16 (the [NATS
//! form](https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/nkey_auth)).
//! The first letter names the kind. A seed is 58 characters and starts with `S` and that letter.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Serialize, Serializer};
use trellis_core::Code;
use zeroize::Zeroizing;

use crate::error::ClaimsError;

/// What a key stands for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum KeyKind {
    /// `A`: an account; it signs actors and providers.
    Account,
    /// `C`: a cluster; it signs hosts.
    Cluster,
    /// `M`: a module; the subject of an actor's claims.
    Module,
    /// `N`: a server; the identity of a host.
    Server,
    /// `O`: an operator; it signs accounts and clusters.
    Operator,
    /// `U`: a user of NATS.
    User,
    /// `V`: a service; the subject of a provider's claims.
    Service,
}

/// A checked public key.
///
/// Its text is its identity: a parsed key has exactly one spelling, so revoking the text revokes
/// the key. Equality, order and hash are those of the text.
#[derive(Clone)]
pub struct PublicKey {
    kind: KeyKind,
    text: Arc<str>,
    key: VerifyingKey,
}

/// A key that can sign. It is wiped from memory on drop and never printed; the short-lived copies
/// that the nkeys library makes while it reads or writes a seed are not wiped.
pub struct KeyPair {
    public: PublicKey,
    signing: SigningKey,
}

/// A seed's text: wiped on drop, redacted in `Debug`, without `Display`.
#[derive(Clone)]
pub struct Seed(Zeroizing<String>);

impl KeyKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Account,
        Self::Cluster,
        Self::Module,
        Self::Server,
        Self::Operator,
        Self::User,
        Self::Service,
    ];

    /// The first letter of a public key, and the second of a seed.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Account => 'A',
            Self::Cluster => 'C',
            Self::Module => 'M',
            Self::Server => 'N',
            Self::Operator => 'O',
            Self::User => 'U',
            Self::Service => 'V',
        }
    }

    /// The kind's name in command lines, file names and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Cluster => "cluster",
            Self::Module => "module",
            Self::Server => "server",
            Self::Operator => "operator",
            Self::User => "user",
            Self::Service => "service",
        }
    }

    /// The kind of that name; `None` for a name that [`KeyKind::as_str`] never returns.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The letter's place in the base32 alphabet is the upper five bits of the prefix byte.
    fn of_prefix(prefix: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| prefix == (kind.letter() as u8 - b'A') << 3)
    }

    const fn library(self) -> nkeys::KeyPairType {
        match self {
            Self::Account => nkeys::KeyPairType::Account,
            Self::Cluster => nkeys::KeyPairType::Cluster,
            Self::Module => nkeys::KeyPairType::Module,
            Self::Server => nkeys::KeyPairType::Server,
            Self::Operator => nkeys::KeyPairType::Operator,
            Self::User => nkeys::KeyPairType::User,
            Self::Service => nkeys::KeyPairType::Service,
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PublicKey {
    /// Reads a public key: length, alphabet, prefix, checksum, and a point that can be trusted.
    ///
    /// # Errors
    /// `E_KEY` when one of these is wrong. Points of low order are refused because under them a
    /// signature can hold for every message; a second encoding of a point is refused because it
    /// would be a second name of a revoked key.
    pub fn parse(text: &str) -> Result<Self, ClaimsError> {
        let (prefix, bytes) = nkeys::from_public_key(text).map_err(|source| {
            let has_its_form = text.len() == 56
                && text.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7'));
            bad_key(if has_its_form {
                "a public nkey with a wrong checksum: a character of it is mistyped"
            } else {
                "not a public nkey (56 characters, upper case)"
            })
            .caused_by(source)
        })?;
        let kind = KeyKind::of_prefix(prefix)
            .ok_or_else(|| bad_key("this kind of nkey cannot verify signatures"))?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|source| {
            bad_key("the nkey's bytes are not an Ed25519 public key").caused_by(source)
        })?;
        if key.is_weak() || !is_canonical(&bytes) {
            return Err(bad_key("the nkey is a weak Ed25519 key that nobody can own"));
        }
        Ok(Self { kind, text: Arc::from(text), key })
    }

    /// Reads a public key that must be of one kind.
    ///
    /// # Errors
    /// `E_KEY` as [`PublicKey::parse`], and for another kind.
    pub fn parse_kind(text: &str, kind: KeyKind) -> Result<Self, ClaimsError> {
        let key = Self::parse(text)?;
        if key.kind == kind {
            return Ok(key);
        }
        let (wanted, letter) = (kind, kind.letter());
        Err(bad_key(format!("{text} is a {} key; a {wanted} key ({letter}…) is needed", key.kind)))
    }

    /// What the key stands for.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The key's text, 56 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Checks a signature the strict way: canonical, no low-order points, one answer everywhere.
    ///
    /// # Errors
    /// `E_SIGNATURE` when it does not hold.
    pub fn verify_strict(&self, message: &[u8], signature: &[u8; 64]) -> Result<(), ClaimsError> {
        let signature = Signature::from_bytes(signature);
        self.key.verify_strict(message, &signature).map_err(|_| {
            ClaimsError::new(Code::Signature, format!("the signature is not by {self}"))
        })
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for PublicKey {}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PublicKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl FromStr for PublicKey {
    type Err = ClaimsError;

    fn from_str(text: &str) -> Result<Self, ClaimsError> {
        Self::parse(text)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.text)
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl KeyPair {
    /// A new key from the operating system's randomness.
    #[must_use]
    pub fn generate(kind: KeyKind) -> Self {
        let fresh = nkeys::KeyPair::new(kind.library());
        let seed = Zeroizing::new(fresh.seed().expect("a pair made from a seed has its seed"));
        Self::from_seed(&seed).expect("the library reads the seeds it writes")
    }

    /// Reads a seed (`S` + kind letter, 58 characters).
    ///
    /// # Errors
    /// `E_KEY` when length, alphabet, prefix or checksum is wrong. The error never holds the text.
    pub fn from_seed(seed: &str) -> Result<Self, ClaimsError> {
        let bad_seed = || bad_key("not an nkey seed (58 characters, upper case, starts with S)");
        let (prefix, secret) = nkeys::decode_seed(seed).map_err(|_| bad_seed())?;
        let secret = Zeroizing::new(secret);
        let kind = KeyKind::of_prefix(prefix).ok_or_else(bad_seed)?;
        let pair = Self::from_secret(kind, &secret);
        // The library ignores three bits of the second byte; a key has one spelling here.
        if pair.seed().expose() != seed {
            return Err(bad_seed());
        }
        Ok(pair)
    }

    /// The pair of 32 secret bytes.
    pub(crate) fn from_secret(kind: KeyKind, secret: &[u8; 32]) -> Self {
        let signing = SigningKey::from_bytes(secret);
        let text = library_pair(kind, secret).public_key();
        let public = PublicKey { kind, text: Arc::from(text), key: signing.verifying_key() };
        Self { public, signing }
    }

    /// The seed's text, to be stored and nothing else.
    #[must_use]
    pub fn seed(&self) -> Seed {
        let pair = library_pair(self.public.kind, self.signing.as_bytes());
        Seed(Zeroizing::new(pair.seed().expect("a pair made from a seed has its seed")))
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a message with Ed25519.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signing.sign(message).to_bytes()
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({})", self.public)
    }
}

impl Seed {
    /// The text itself. Whoever calls this answers for where it goes.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(redacted)")
    }
}

fn bad_key(message: impl Into<Cow<'static, str>>) -> ClaimsError {
    ClaimsError::new(Code::Key, message)
}

fn library_pair(kind: KeyKind, secret: &[u8; 32]) -> nkeys::KeyPair {
    nkeys::KeyPair::new_from_raw(kind.library(), *secret).expect("any 32 bytes are an Ed25519 seed")
}

/// True when the y coordinate is below p = 2^255 - 19 (RFC 8032 section 5.1.3); decompression alone
/// reduces it and so accepts 19 values twice.
fn is_canonical(bytes: &[u8; 32]) -> bool {
    let high_bits_set = bytes[31] & 0x7f == 0x7f && bytes[1..31].iter().all(|byte| *byte == 0xff);
    !(high_bits_set && bytes[0] >= 0xed)
}
