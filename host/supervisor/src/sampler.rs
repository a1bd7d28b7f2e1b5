//! The way to a running provider's metrics.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};

use trellis_providers_sdk::{Provider, Sample};

/// A way to a running provider's metrics that does not keep the provider alive.
#[derive(Clone)]
pub struct Sampler {
    /// The provider's name.
    pub provider: Arc<str>,
    source: Weak<dyn Provider>,
}

impl Sampler {
    pub(crate) fn new(provider: &Arc<str>, source: &Arc<dyn Provider>) -> Self {
        Self { provider: Arc::clone(provider), source: Arc::downgrade(source) }
    }

    /// What the provider measured so far; nothing once it is gone, or when it fails to say.
    #[must_use]
    pub fn samples(&self) -> Vec<Sample> {
        let Some(provider) = self.source.upgrade() else { return Vec::new() };
        catch_unwind(AssertUnwindSafe(|| provider.samples())).unwrap_or_default()
    }
}

impl fmt::Debug for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sampler").field(&self.provider).finish()
    }
}
