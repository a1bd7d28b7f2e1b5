//! contract!: one WIT file becomes messages, an operation table, a guest client and a provider trait.
