//! The wascc:logging contract.
