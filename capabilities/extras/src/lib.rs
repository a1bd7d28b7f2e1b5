//! The wascc:extras contract.
