//! Composition root: the host binary and the library that builds a whole host.
