//! What `/readyz` tells: whether the host should get traffic, and what does not work.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use trellis_claims::{Clock, SystemClock};
use trellis_control::{Component, Degraded, Happening, HostStatus, LifecycleState, Phase};
use trellis_core::Code;
use trellis_core::date::span;
use trellis_supervisor::{Status, Supervisor, Warning};
use trellis_telemetry::Telemetry;

use crate::edits::Edits;
use crate::failure::Failure;

/// How ready the host is. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Readiness {
    phase: Arc<ArcSwap<Phase>>,
    found: Arc<Mutex<Found>>,
    supervisor: Supervisor,
    edits: Edits,
    telemetry: Telemetry,
}

/// What is not as it should be with the manifest itself.
#[derive(Default)]
struct Found {
    /// The manifest that was not applied, if the last one was not.
    refused: Option<Degraded>,
    /// One that is still being read after a long time.
    slow: Option<Degraded>,
    /// What its owner may not have meant of the one that is applied.
    unmeant: Vec<Degraded>,
    /// Where trust is other than the last manifest says, applied or not.
    trust: Vec<Degraded>,
}

/// What is not as it should be for as long as a manifest runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Lasting {
    what: &'static str,
    code: Code,
    /// With the cure.
    why: String,
}

impl Lasting {
    /// Something with this code; `why` says the cure as well.
    pub(crate) const fn new(what: &'static str, code: Code, why: String) -> Self {
        Self { what, code, why }
    }

    /// `None` for what is said only once.
    pub(crate) fn of(warning: &Warning) -> Option<Self> {
        let Warning { problem, lasting } = warning;
        let why = match &problem.help {
            Some(cure) => format!("{}; {cure}", problem.message),
            None => problem.message.clone(),
        };
        lasting.map(|what| Self { what, code: problem.code, why })
    }
}

impl fmt::Display for Lasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

impl Readiness {
    /// A host that starts.
    pub(crate) fn new(supervisor: Supervisor, edits: Edits, telemetry: Telemetry) -> Self {
        Self { phase: Arc::default(), found: Arc::default(), supervisor, edits, telemetry }
    }

    /// What runs other than the manifest says.
    pub(crate) const fn edits(&self) -> &Edits {
        &self.edits
    }

    /// The host came to another phase of its life.
    pub(crate) fn enter(&self, phase: Phase) {
        if *self.phase.swap(Arc::new(phase)) != phase {
            self.edits.events().tell(Happening::phase(phase));
        }
    }

    /// The manifest as it is now was not applied; what ran goes on.
    /// Gives it as it is told.
    pub(crate) fn refuse(&self, failure: &Failure) -> Degraded {
        let what = "the manifest was not applied";
        let refused = lasting(what, failure.code(), failure.told(), 0);
        self.found.lock().refused = Some(refused.clone());
        self.edits.events().tell(Happening::manifest_refused(refused.code, &refused.why));
        refused
    }

    /// The manifest as it is now is applied.
    pub(crate) fn accept(&self) {
        self.found.lock().refused = None;
        self.edits.events().tell(Happening::manifest_applied());
    }

    /// What there is to say of the manifest that is applied.
    pub(crate) fn lasts(&self, unmeant: Vec<Lasting>) {
        let mut found = self.found.lock();
        found.unmeant = rows(&found.unmeant, unmeant);
    }

    /// Where trust is other than the manifest as it is now says.
    pub(crate) fn trusts(&self, otherwise: Vec<Lasting>) {
        let mut found = self.found.lock();
        found.trust = rows(&found.trust, otherwise);
    }

    /// A manifest has been read for this long.
    pub(crate) fn loads_slowly(&self, why: String, taken: Duration) {
        let what = "the manifest is still being read";
        self.found.lock().slow = Some(lasting(what, Code::Storage, why, taken.as_secs()));
    }

    /// None is being read any more.
    pub(crate) fn loads_in_time(&self) {
        self.found.lock().slow = None;
    }

    /// True when traffic should come, whatever else does not work.
    pub(crate) fn is_ready(&self) -> bool {
        self.phase() == Phase::Ready
    }

    /// A line with the phase, then one for a change that takes long, one for each thing that does
    /// not work, and one for each that is worth to know.
    pub(crate) fn text(&self) -> String {
        let status = self.supervisor.status();
        let mut text = format!("{}\n", self.seen_phase(&status).as_str());
        let now = SystemClock.now_unix_s();
        if let Some(changing) = self.supervisor.slow_change(now) {
            let taken = span(now.saturating_sub(changing.since_unix_s));
            // Writing to a text cannot fail.
            let _ = writeln!(text, "changing: a change is under way for {taken}: {changing}");
        }
        let failed = failed(&status);
        for degraded in self.degraded(&status) {
            let state = failed.get(&degraded.what).map_or("degraded", |state| state.as_str());
            let _ = writeln!(text, "{state}: {degraded} ({})", degraded.timing(now));
        }
        for note in self.notes(&status) {
            let _ = writeln!(text, "note: {note}");
        }
        text
    }

    /// The same for programs.
    pub(crate) fn status(&self) -> HostStatus {
        let status = self.supervisor.status();
        let phase = self.seen_phase(&status);
        HostStatus {
            ready: phase == Phase::Ready,
            phase,
            changing: self.supervisor.slow_change(SystemClock.now_unix_s()),
            degraded: self.degraded(&status),
            components: not_ready(&status),
            notes: self.notes(&status),
        }
    }

    /// What is worth to know and no failure, as everybody may read it.
    fn notes(&self, status: &Status) -> Vec<String> {
        let fails = |what: &str| status.state.degraded.iter().any(|it| it.what == what);
        let mut notes = self.edits.look(|book| book.notes(fails));
        notes.extend(self.telemetry.notes());
        notes
    }

    /// Where the host is in its life.
    pub(crate) fn phase(&self) -> Phase {
        self.seen_phase(&self.supervisor.status())
    }

    /// How many things do not work, as they are listed.
    pub(crate) fn degraded_count(&self) -> usize {
        self.degraded(&self.supervisor.status()).len()
    }

    /// A host that is to take requests and can take none is not ready, whatever it has started.
    fn seen_phase(&self, status: &Status) -> Phase {
        match **self.phase.load() {
            Phase::Ready if status.serves_nothing => Phase::Unserved,
            phase => phase,
        }
    }

    fn degraded(&self, status: &Status) -> Vec<Degraded> {
        let found = self.found.lock();
        let own = found.refused.iter().chain(&found.slow).chain(&found.trust).chain(&found.unmeant);
        own.chain(&status.state.degraded).map(Degraded::told).collect()
    }
}

/// What failed and is to be started again.
fn failed(status: &Status) -> BTreeMap<String, LifecycleState> {
    let failed = status.state.components.iter().filter(|it| it.lifecycle.state().is_failed());
    failed.map(|it| (it.subject(), it.lifecycle.state())).collect()
}

/// The actors and providers of which there is something to say.
fn not_ready(status: &Status) -> Vec<Component> {
    let components = status.state.components.iter();
    let told = |component: &Component| Component {
        lifecycle: component.lifecycle.told(),
        ..component.clone()
    };
    components.filter(|it| it.lifecycle.state() != LifecycleState::Ready).map(told).collect()
}

/// What lasts now, since when it does.
fn rows(before: &[Degraded], now: Vec<Lasting>) -> Vec<Degraded> {
    let row = |it: Lasting| {
        let known = before.iter().find(|row| row.why == it.why).cloned();
        known.unwrap_or_else(|| lasting(it.what, it.code, it.why, 0))
    };
    now.into_iter().map(row).collect()
}

/// What lasts until the manifest, or the disk, is another one.
fn lasting(what: &str, code: Code, why: String, for_s: u64) -> Degraded {
    let since_unix_s = SystemClock.now_unix_s().saturating_sub(for_s);
    Degraded { what: what.to_owned(), code, why, since_unix_s, retry_unix_s: None }
}
