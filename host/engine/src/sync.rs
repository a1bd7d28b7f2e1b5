//! What threads meet at, by the names the pool, residency and the clock use. Models of them
//! (`tests/models`) bring a module of the same name whose parts a model checker steers.

use std::io;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
pub(crate) use std::thread::{JoinHandle, park, park_timeout};

pub(crate) use parking_lot::{Mutex, MutexGuard};
pub(crate) use trellis_meters::{Mine, Padded, own, shard_count};

/// A place for one value, exchanged in one step: of two exchanges the later one sees all that
/// happened before the earlier one.
pub(crate) type Cell<T> = crossbeam_utils::atomic::AtomicCell<Option<T>>;

/// How many ticks without a call before the clock sleeps; short gaps between calls are common.
pub(crate) const IDLE_TICKS: u32 = 50;

/// Starts a thread of this name.
pub(crate) fn spawn_named(
    name: &str,
    body: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(body)
}
