//! What threads meet at on the road, by the names the road uses. Models of it (`tests/models.rs`)
//! bring a module of the same name, in which a model checker decides who comes first.

pub(crate) use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) use tokio::sync::Notify;

/// A value that every call reads and the control plane replaces as a whole. A reader holds what it
/// read; whoever reads after a replacement gets the new one.
pub(crate) type Published<T> = arc_swap::ArcSwap<T>;
