//! Which key a user means: a name, a unique prefix, a public key, or a seed file.

use std::io::Read;
use std::path::{Path, PathBuf};

use trellis_claims::{KeyKind, KeyPair, PublicKey};
use trellis_keystore::{
    Access, KeyName, Keystore, KeystoreError, Stored, parse_seed, read_seed_file, refuse_seed,
};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::output::Output;

/// Longest text on stdin that may be a seed, in bytes.
const SEED_BYTES_MAX: u64 = 1 << 10;

/// A key that signs, and how to tell the user which one it is.
pub(crate) struct Signer {
    /// The key.
    pub(crate) pair: KeyPair,
    /// Its name in the keystore, or the file it came from.
    pub(crate) name: String,
}

/// The key that signs, of one kind: the one `asked` for, else the key of this name. A missing key
/// is made if `make` allows it.
///
/// # Errors
/// When the text could mean no key or several, or the key cannot be read or made.
pub(crate) fn signer(
    asked: Option<&str>,
    kind: KeyKind,
    name: &KeyName,
    make: bool,
    output: Output,
) -> Result<Signer, Failure> {
    if let Some(path) = asked.and_then(seed_file) {
        let pair = if path == Path::new("-") {
            read_seed_from_stdin()?
        } else {
            read_seed_file(&path, Access::OwnerOnly)?
        };
        let found = pair.public().kind();
        if found != kind {
            let message = format!("{} holds a key of the kind {found}", path.display());
            return Err(Failure::usage(message).cure(format!("Give a key of the kind {kind}.")));
        }
        return Ok(Signer { pair, name: path.display().to_string() });
    }
    let keystore = Keystore::open_default()?;
    let stored = match asked {
        Some(text) => keystore.find(text, Some(kind))?,
        None => by_name(&keystore, kind, name, make, output)?,
    };
    Ok(Signer { pair: stored.pair, name: stored.entry.name.to_string() })
}

/// The own key of what is signed, when there is one already: the one `asked` for, or the key of
/// that name. Only its public half goes into the claims, so the key of somebody else will do.
///
/// # Errors
/// As [`public_key`], and for a name that is none of a key.
pub(crate) fn known_subject(
    asked: Option<&str>,
    kind: KeyKind,
    name: &str,
) -> Result<Option<PublicKey>, Failure> {
    if let Some(text) = asked {
        return public_key(text, kind).map(Some);
    }
    let stored = Keystore::open_default()?.get(&key_name(name)?, kind)?;
    Ok(stored.map(|stored| stored.pair.public().clone()))
}

/// The own key of what is signed for the first time, if `make` allows it.
///
/// # Errors
/// As [`signer`].
pub(crate) fn new_subject(
    kind: KeyKind,
    name: &str,
    make: bool,
    output: Output,
) -> Result<PublicKey, Failure> {
    Ok(signer(None, kind, &key_name(name)?, make, output)?.pair.public().clone())
}

/// The public key of one kind that a text means: the key itself, or one of the keystore.
///
/// # Errors
/// As [`Keystore::find`].
pub(crate) fn public_key(text: &str, kind: KeyKind) -> Result<PublicKey, Failure> {
    if let Ok(key) = PublicKey::parse_kind(text, kind) {
        return Ok(key);
    }
    if let Some(path) = seed_file(text) {
        return Ok(read_seed_file(&path, Access::OwnerOnly)?.public().clone());
    }
    Ok(Keystore::open_default()?.find(text, Some(kind))?.pair.public().clone())
}

/// Reads a seed from a pipe.
///
/// # Errors
/// When stdin is a terminal (the seed would be shown) or holds no seed.
pub(crate) fn read_seed_from_stdin() -> Result<KeyPair, Failure> {
    use std::io::IsTerminal;
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(Failure::usage("a seed that is typed into a terminal can be seen")
            .cure("Pipe it in, or give a file."));
    }
    let mut text = Zeroizing::new(String::with_capacity(SEED_BYTES_MAX as usize + 1));
    let read = stdin.lock().take(SEED_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|error| Failure::file("cannot read a seed from stdin", &error))?;
    Ok(parse_seed(&text, "stdin")?)
}

fn key_name(name: &str) -> Result<KeyName, Failure> {
    name.parse().map_err(|error| {
        Failure::from(error).cure("Give its key with --subject, or another --name.")
    })
}

fn by_name(
    keystore: &Keystore,
    kind: KeyKind,
    name: &KeyName,
    make: bool,
    output: Output,
) -> Result<trellis_keystore::StoredKey, Failure> {
    if !make {
        let missing = || {
            let names = keystore.entries().unwrap_or_default();
            let names = names.iter().filter(|entry| entry.kind == kind);
            KeystoreError::NotFound {
                text: name.to_string(),
                kind: Some(kind),
                names: names.map(|entry| entry.name.to_string()).collect(),
            }
        };
        return Ok(keystore.get(name, kind)?.ok_or_else(missing)?);
    }
    let (stored, came) = keystore.get_or_create(name, kind)?;
    if came == Stored::Created {
        let (public, path) = (stored.pair.public(), stored.entry.path.display());
        output.note(format_args!("made the {kind} key `{name}`: {public}\n  kept in {path}"));
    }
    Ok(stored)
}

/// The path in a text that can only be one: `-`, or with a slash, or ending in `.nk`.
fn seed_file(text: &str) -> Option<PathBuf> {
    let is_path = text == "-" || text.contains('/') || text.ends_with(".nk");
    (is_path && refuse_seed(text).is_ok()).then(|| PathBuf::from(text))
}
