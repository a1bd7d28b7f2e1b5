//! Namespaces: who sees whose keys.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// A namespace while the host runs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct NamespaceId(u32);

/// A namespace, as the binding that uses it knows it.
#[derive(Clone, Debug)]
pub(crate) struct Namespace {
    pub(crate) id: NamespaceId,
    pub(crate) name: Arc<str>,
}

/// Every namespace any binding ever named; as many as the manifests wrote.
#[derive(Default)]
pub(crate) struct Namespaces(Mutex<HashMap<Arc<str>, NamespaceId>>);

impl Namespaces {
    /// The namespace of that name: the same one for the same name.
    pub(crate) fn named(&self, name: &str) -> Namespace {
        let name: Arc<str> = Arc::from(name);
        let mut known = self.0.lock();
        let next = NamespaceId(u32::try_from(known.len()).unwrap_or(u32::MAX));
        let id = *known.entry(Arc::clone(&name)).or_insert(next);
        Namespace { id, name }
    }
}
