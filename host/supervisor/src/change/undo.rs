//! A version that lacks a binding after all gives its name back.

use std::collections::BTreeMap;

use trellis_control::Step;
use trellis_core::CallError;

use super::Change;
use super::bind::{NewBinding, waits};
use super::outcome::Again;

impl Change {
    /// Has the versions go on that were to be replaced by those of which a binding was refused only
    /// once it was tried. They have all that they had, but for what is not wanted any more.
    pub(super) fn undo_versions(&mut self, refused: &[(NewBinding, CallError)]) {
        let mut undone: BTreeMap<&str, &CallError> = BTreeMap::new();
        self.shared.edit(|actual| {
            for (new, error) in refused {
                let (id, actor) = (new.binding.spec.actor, &new.binding.key.actor);
                if actual.predecessor(id, actor).is_some() {
                    actual.reinstate(id, actor);
                    undone.insert(actor, error);
                }
            }
        });
        if undone.is_empty() {
            return;
        }
        let mut failed = Vec::new();
        for (place, step) in self.steps.iter().enumerate() {
            match step {
                Step::ReplaceActor { actor, .. } => {
                    let error = undone.get(&**actor);
                    failed.extend(error.map(|error| (place, (*error).clone())));
                }
                Step::Bind { binding, .. } | Step::Rebind { binding, .. } => {
                    let error = undone.get(&*binding.actor);
                    failed.extend(error.map(|error| (place, waits(&binding.actor, error.code()))));
                }
                _ => {}
            }
        }
        for (place, error) in failed {
            self.fail_until(place, error, Again::Soon);
        }
        // It goes in any case.
        self.unbind(true);
    }
}
