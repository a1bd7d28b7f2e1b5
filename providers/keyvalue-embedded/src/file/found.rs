//! What a reader found for the writer.

/// Where an item stands in a list, as a reader saw it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) positions: Vec<u64>,
    /// How many items the list has, and where the first of them stands (or stood).
    pub(super) count: u64,
    pub(super) head: u64,
    /// Which lists the reader saw.
    pub(super) era: u64,
}
