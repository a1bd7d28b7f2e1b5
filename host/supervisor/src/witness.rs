//! Who is told what happens to that which runs.

use trellis_control::{Component, ComponentKind, LifecycleState};
use trellis_core::CallError;

/// Told what happens, in order, while it happens: whoever listens must be quick, and ask the
/// supervisor for nothing.
pub trait Witness: Send + Sync {
    /// An actor or a provider came to another state of its life.
    fn entered(&self, component: &Component, before: LifecycleState);

    /// One may not run any more, for this reason.
    fn barred(&self, component: (ComponentKind, &str), error: &CallError);

    /// An actor, or whoever else is bound to a store, goes on with other keys than it had.
    fn left_behind(&self, actor: &str, why: &str);
}
