//! One behaviour suite per contract, run against every provider of it.
