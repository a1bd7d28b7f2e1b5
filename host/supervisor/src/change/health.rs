//! What is not well takes over from nothing that is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::join_all;
use trellis_control::Step;
use trellis_core::{CallError, Code};

use super::Change;
use super::bind::{Fresh, NewBinding};
use super::make::Made;

impl Change {
    /// A provider that is not well does not take over from one that is, unless that is forced.
    pub(super) async fn judge_health(&mut self, made: &mut Made, fresh: &mut Fresh) {
        if self.desired.options.force {
            return;
        }
        let successors = made.providers.iter().filter(|(_, one)| one.succeeds);
        let asked = successors
            .map(|(name, one)| async move { (Arc::clone(name), one.instance.ailment().await) });
        let mut kept = BTreeSet::new();
        for (name, ailment) in join_all(asked).await {
            let well = self.is_well(&name);
            if let Some(why) = ailment.filter(|_| well) {
                self.keep_old(&name, worse(&name, &why), made, fresh).await;
                kept.insert(name);
            }
        }
        // Only the ones that were not well had been told of them.
        self.tell_outlets(made, fresh, |new| kept.contains(&new.provider.name)).await;
        self.judge_moves(made, fresh).await;
    }

    async fn judge_moves(&mut self, made: &mut Made, fresh: &mut Fresh) {
        let mut moves = BTreeMap::new();
        for new in &fresh.outlets {
            let Some(Step::Rebind { leaves: Some(old), .. }) =
                new.place.and_then(|place| self.steps.get(place))
            else {
                continue;
            };
            if self.is_well(old) {
                moves.insert(Arc::clone(&new.provider.name), new.instance.clone());
            }
        }
        for (name, instance) in moves {
            let Some(why) = instance.ailment().await else { continue };
            let leaves_for = |new: &NewBinding| {
                let step = new.place.and_then(|place| self.steps.get(place));
                let moved = matches!(step, Some(Step::Rebind { leaves: Some(_), .. }));
                moved && new.provider.name == name
            };
            let (gone, kept): (Vec<_>, Vec<_>) =
                std::mem::take(&mut fresh.outlets).into_iter().partition(leaves_for);
            fresh.outlets = kept;
            self.shared.tell_unbound(gone.iter().map(NewBinding::undo).collect());
            for new in gone {
                self.give_up(&new, worse(&name, &why), made, fresh);
            }
        }
    }

    fn is_well(&self, provider: &str) -> bool {
        self.shared.look(|actual| {
            let running = actual.providers.get(provider);
            running.is_some_and(|running| running.ailment.is_none() && running.broken.is_none())
        })
    }
}

fn worse(provider: &str, why: &str) -> CallError {
    let text = format!(
        "provider {provider} is not well ({why}), and what serves now is; it goes on until that \
         changes, or until the change is forced"
    );
    CallError::new(Code::Provider, text)
}
