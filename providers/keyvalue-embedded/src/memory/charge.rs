//! What keys and values are charged, in bytes.

/// What a key costs beside its text and value: its entry, its allocation, its part of the table.
const KEY_BYTES: u64 = 96;
/// What an item of a list or a set costs beside its text.
const ITEM_BYTES: u64 = 32;

pub(super) const fn key_bytes(key: &str) -> u64 {
    KEY_BYTES + key.len() as u64
}

pub(super) const fn item_bytes(item: &str) -> u64 {
    ITEM_BYTES + item.len() as u64
}
