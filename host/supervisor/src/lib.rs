//! Lifecycle of actors, providers and bindings: one owner task, published snapshots, drains.
