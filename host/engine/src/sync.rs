//! What threads meet at, by the names the pool and the clock use. Models of them
//! (`tests/models.rs`) bring a module of the same name whose parts a model checker steers.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

pub(crate) use parking_lot::{Mutex, MutexGuard};
pub(crate) use trellis_meters::{Mine, Padded, own, shard_count};

/// A place for one value, exchanged in one step: of two exchanges the later one sees all that
/// happened before the earlier one.
pub(crate) type Cell<T> = crossbeam_utils::atomic::AtomicCell<Option<T>>;
