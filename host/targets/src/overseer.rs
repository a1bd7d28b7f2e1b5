//! Who is told how what runs fares.

use std::sync::Arc;

use trellis_core::CallError;
use trellis_meters::Restart;

/// Watches over one version of an actor or one instance of a provider. Told from the road or
/// beside it, so nothing here may wait.
pub trait Overseer: Send + Sync {
    /// What it is spoken of by just now: a change may give it another name.
    fn name(&self) -> Arc<str>;

    /// It failed as a whole, and this becomes of it.
    fn failed(&self, next: Restart, why: &CallError);

    /// It runs again after it failed.
    fn recovered(&self);

    /// It may be in another state than it last said.
    fn health_changed(&self);
}
