//! What a host that runs notices of itself.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use trellis_control::ComponentKind;
use trellis_core::Code;
use trellis_supervisor::LastRuns;

use super::Life;
use crate::readiness::Lasting;
use crate::running::take_running;
use crate::settings::StartSettings;

impl Life {
    /// Looks at what runs: prints addresses that are new, and remembers the actors that run as they
    /// do, whatever else is missing.
    pub(super) fn look(&mut self) {
        let status = self.host.supervisor().status();
        let state = &status.state;
        if !self.host.supervisor().is_changing() && !self.runs.is_empty() {
            let stores = self.host.supervisor().stores();
            let held = self.hold_open();
            let running = take_running(&mut self.runs, state, &stores);
            self.runs.extend(held);
            if !running.is_empty() {
                self.loader.remember(running);
            }
        }
        if Arc::ptr_eq(&self.seen, &status) && !self.printed.is_empty() {
            return;
        }
        if !self.host.supervisor().is_changing() {
            let fails = |what: &str| state.degraded.iter().any(|row| row.what == what);
            self.edits.look(|book| book.recovers(fails));
        }
        let printed: HashSet<_> = self.printed.iter().collect();
        let new = state.addresses.iter().filter(|address| !printed.contains(address));
        new.clone().for_each(|address| self.announcer.listening(address));
        let open: BTreeSet<_> =
            new.map(|it| it.socket).filter(|at| at.ip().is_unspecified()).collect();
        for at in open {
            tracing::info!("{at} takes requests from every network of this machine");
        }
        self.printed.clone_from(&state.addresses);
        self.seen = status;
    }

    /// Takes out what is known of actors whose edit is watched: the host remembers a version, and
    /// its key, once it is known that it stays.
    fn hold_open(&mut self) -> LastRuns {
        let open: BTreeSet<_> = self.edits.look(|book| {
            let actors = book.open().filter(|it| it.kind == ComponentKind::Actor);
            actors.map(|it| it.name.clone()).collect()
        });
        let (held, rest) =
            std::mem::take(&mut self.runs).into_iter().partition(|(name, _)| open.contains(name));
        self.runs = rest;
        held
    }

    /// Warns of changed settings that only take effect at a restart.
    pub(super) fn note_settings(&mut self, built: &StartSettings, wanted: &StartSettings) {
        let unset = built.differences(wanted);
        let told = unset == self.unset;
        self.unset = unset;
        if let Some(lasting) = self.needs_restart().filter(|_| !told) {
            tracing::warn!("{lasting}");
        }
    }

    /// The settings that are not in force until the host starts again.
    pub(super) fn needs_restart(&self) -> Option<Lasting> {
        let keys = self.unset.join(", ");
        let why = || format!("a change of {keys} needs a restart");
        (!self.unset.is_empty()).then(|| Lasting::new("`host`", Code::Manifest, why()))
    }
}
