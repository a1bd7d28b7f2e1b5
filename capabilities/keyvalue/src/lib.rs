//! The wascc:keyvalue contract.
