//! What is told and asked before anything takes over.

use std::sync::Arc;

use trellis_core::BindingId;

use super::Change;
use super::bind::Fresh;
use super::make::Made;
use crate::border::Instance;
use crate::progress::Awaited;
use crate::superseded::newer;

/// What was told by the time something newer is wanted.
struct Told {
    bindings: Vec<(BindingId, Instance)>,
    /// The providers whose successors may have taken something from them.
    relieved: Vec<Arc<str>>,
}

impl Change {
    /// Has all that was made get ready to take over. `None` when something newer is wanted, however
    /// long a provider takes to answer; then everything is as it was.
    pub(super) async fn get_ready(
        &mut self,
        mut made: Made,
        mut fresh: Fresh,
    ) -> Option<(Made, Fresh)> {
        let told = self.told(&made, &fresh);
        let asked = fresh.outlets.iter().chain(&fresh.intake).map(|new| &*new.provider.name);
        let asked = asked.chain(made.providers.keys().map(|name| &**name));
        self.shared.progress.waits_for(Awaited::of_providers(asked));
        let mut superseded = self.superseded.clone();
        let get_ready = async {
            self.bind_outlets(&mut made, &mut fresh).await;
            self.judge_health(&mut made, &mut fresh).await;
            self.weigh_intake(&mut made, &mut fresh).await;
        };
        let ready = tokio::select! {
            biased;
            () = get_ready => true,
            () = newer(&mut superseded) => false,
        };
        if ready {
            return Some((made, fresh));
        }
        self.give_all_up(made, told).await;
        None
    }

    /// Everything that was ready is as it was: it makes way after all.
    pub(super) async fn undo(&mut self, made: Made, fresh: &Fresh) {
        let told = self.told(&made, fresh);
        self.give_all_up(made, told).await;
    }

    async fn give_all_up(&mut self, made: Made, told: Told) {
        self.leave(made);
        self.shared.tell_unbound(told.bindings);
        for provider in told.relieved {
            self.tell_again(&provider).await;
        }
    }

    /// Who is to be told if nothing comes of it: of fresh bindings also those that serve now, which
    /// learn of them when they are not replaced.
    fn told(&self, made: &Made, fresh: &Fresh) -> Told {
        let bindings = self.shared.look(|actual| {
            let both = fresh.outlets.iter().chain(&fresh.intake).flat_map(|new| {
                let (id, instance) = new.undo();
                let serves = actual.instances.get(&new.binding.spec.target);
                let other = serves.filter(|serves| !serves.is(&instance)).cloned();
                [instance].into_iter().chain(other).map(move |instance| (id, instance))
            });
            both.collect()
        });
        let relieved = made.providers.iter().filter(|(_, one)| one.succeeds);
        Told { bindings, relieved: relieved.map(|(name, _)| Arc::clone(name)).collect() }
    }
}
