//! wascc:extras: GUIDs, sequences and random numbers.
