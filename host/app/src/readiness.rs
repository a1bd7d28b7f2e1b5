//! What `/readyz` tells: whether the host should get traffic, and what does not work.

use std::fmt::Write as _;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use serde_json::{Value as Json, json};
use trellis_claims::{Clock, SystemClock};
use trellis_control::Degraded;
use trellis_supervisor::Supervisor;

use crate::failure::Failure;

/// Where the host is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum Phase {
    /// What the manifest wants is being started.
    #[default]
    Starting,
    /// The manifest, or something it names, is missing or wrong; it starts when that is mended.
    Waiting,
    /// It takes requests.
    Ready,
    /// It takes no more requests.
    Stopping,
}

impl Phase {
    /// The word people and programs read.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Stopping => "stopping",
        }
    }
}

/// How ready the host is. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Readiness {
    phase: Arc<ArcSwap<Phase>>,
    /// The manifest that was not applied, if the last one was not.
    refused: Arc<ArcSwapOption<Degraded>>,
    supervisor: Supervisor,
}

impl Readiness {
    /// A host that starts.
    pub(crate) fn new(supervisor: Supervisor) -> Self {
        Self { phase: Arc::default(), refused: Arc::default(), supervisor }
    }

    /// The host came to another phase of its life.
    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.store(Arc::new(phase));
    }

    /// The manifest as it is now was not applied; what ran goes on.
    pub(crate) fn refuse(&self, failure: &Failure) {
        self.refused.store(Some(Arc::new(Degraded {
            what: "the manifest was not applied".to_owned(),
            code: failure.code(),
            why: failure.first(),
            since_unix_s: SystemClock.now_unix_s(),
            retry_unix_s: None,
        })));
    }

    /// The manifest as it is now is applied.
    pub(crate) fn accept(&self) {
        self.refused.store(None);
    }

    /// True when traffic should come, whatever else does not work.
    pub(crate) fn is_ready(&self) -> bool {
        **self.phase.load() == Phase::Ready
    }

    /// A line with the phase, then one for each thing that does not work.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{}\n", self.phase.load().as_str());
        let now = SystemClock.now_unix_s();
        for degraded in self.degraded() {
            // Writing to a text cannot fail.
            let _ = writeln!(text, "degraded: {degraded} ({})", degraded.timing(now));
        }
        text
    }

    /// The same for programs.
    pub(crate) fn json(&self) -> Json {
        json!({
            "ready": self.is_ready(),
            "phase": self.phase.load().as_str(),
            "degraded": self.degraded(),
        })
    }

    fn degraded(&self) -> Vec<Degraded> {
        let refused = self.refused.load_full();
        let status = self.supervisor.status();
        let all = refused.iter().map(|refused| &**refused).chain(&status.state.degraded);
        let told =
            |degraded: &Degraded| Degraded { why: one_line(&degraded.why), ..degraded.clone() };
        all.map(told).collect()
    }
}

/// Without line breaks, and without the user and password of a URL: anybody who reaches the admin
/// address reads this.
fn one_line(text: &str) -> String {
    let words = text.split_whitespace().map(without_secret);
    words.collect::<Vec<_>>().join(" ")
}

fn without_secret(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..authority].rfind('@') {
        Some(at) => format!("{scheme}://***{}", &rest[at..]),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_told() {
        for (text, told) in [
            ("down:\n  redis://:secret@db:6379/0 refused", "down: redis://***@db:6379/0 refused"),
            ("(redis://me:p@ss@db)", "(redis://***@db)"),
            ("http://a.example/x?y=@z", "http://a.example/x?y=@z"),
            ("no answer within 2000 ms", "no answer within 2000 ms"),
        ] {
            assert_eq!(one_line(text), told);
        }
    }
}
