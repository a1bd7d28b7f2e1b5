//! Public keys in a text, by their form alone.

/// Length of a public key's text (an nkey).
const KEY_CHARS: usize = 56;

/// A word this long that could be a part of a key is one, whatever is in it.
const PART_CHARS: usize = 20;

/// A shorter one is, with a digit in it.
const PART_CHARS_MIN: usize = 8;

/// The public keys of accounts, actors, providers and users in a text that should be one of them,
/// by their form.
pub fn keys_in(text: &str) -> impl Iterator<Item = &str> {
    keys_at(text).map(|(_, key)| key)
}

/// The words of a text that have the form of a public key of an account, an actor, a provider or a
/// user, with their places.
pub(crate) fn keys_at(text: &str) -> impl Iterator<Item = (usize, &str)> {
    words(text).filter(|(_, word)| is_key(word))
}

/// The words of a text that look like a key with something missing, or too much.
pub(crate) fn damaged_at(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_damaged = |word: &str| {
        let long = word.len() >= PART_CHARS;
        let short = word.len() >= PART_CHARS_MIN && word.contains(|c: char| c.is_ascii_digit());
        (long || short) && is_base32(word) && !is_key(word)
    };
    words(text).filter(move |(_, word)| is_damaged(word))
}

/// The public keys of users in a text, by their form.
pub(crate) fn user_keys_in(text: &str) -> impl Iterator<Item = &str> {
    keys_in(text).filter(|key| key.starts_with('U'))
}

/// Whether a word has the form of a public key of an account, an actor, a provider or a user.
pub(crate) fn is_key(word: &str) -> bool {
    word.len() == KEY_CHARS && is_base32(word)
}

fn is_base32(word: &str) -> bool {
    let base32 = |byte: u8| matches!(byte, b'A'..=b'Z' | b'2'..=b'7');
    word.starts_with(['A', 'M', 'V', 'U']) && word.bytes().all(base32)
}

fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| (word.as_ptr().addr() - text.as_ptr().addr(), word))
}
