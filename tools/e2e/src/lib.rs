//! End-to-end scenarios as data over the testkit.
