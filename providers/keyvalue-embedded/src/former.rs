//! Whether a binding had its keys in another file: a reload that names another `PATH`, or none,
//! takes them out of sight, and a mistyped one looks like a store that lost everything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use trellis_providers_sdk::Binding;

use crate::file::FileStore;

/// A binding, whatever its id: that changes when it goes over to another provider. The host, the
/// actor's key and the binding's name.
type Bound = (String, String, String);

/// The files in which bindings have their keys, for as long as these are used.
static FILES: Mutex<BTreeMap<Bound, Weak<FileStore>>> = Mutex::new(BTreeMap::new());

/// What was told already by one store: the files that were used before it.
pub(crate) type Told = Mutex<BTreeSet<String>>;

/// A binding has its keys in this file from now on, or in memory. Says so, once for each other file,
/// when it had them in one that holds some and this one holds none.
pub(crate) fn goes_over(host: &str, binding: &Binding, now: Option<&Arc<FileStore>>, told: &Told) {
    if host.is_empty() {
        return;
    }
    let bound = (host.to_owned(), binding.actor.to_string(), binding.name.to_string());
    let former = {
        let mut files = FILES.lock();
        files.retain(|_, file| file.strong_count() > 0);
        match now {
            Some(file) => files.insert(bound, Arc::downgrade(file)),
            None => files.remove(&bound),
        }
    };
    let Some(former) = former.and_then(|former| former.upgrade()) else { return };
    let goes_on = now.is_some_and(|now| former.is_same_as(now) || now.bytes() > 0);
    if goes_on || former.bytes() == 0 {
        return;
    }
    let before = former.path().display().to_string();
    if !told.lock().insert(before.clone()) {
        return;
    }
    match now.map(|now| now.path().display().to_string()) {
        Some(now) => tracing::warn!(            path = %now, %before,
            "the key-value file holds no keys and takes the place of another one, which holds some \
             and stays as it is; to go on with those, name it by PATH again, or move it to the new \
             PATH before anything is written there"
        ),
        None => tracing::warn!(
            %before,
            "keys are kept in memory from now on and end with the host; the key-value file of \
             before holds some and stays as it is; to go on with those, name it by PATH again"
        ),
    }
}
