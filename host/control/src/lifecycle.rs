//! Where an actor or a provider is in its life.

use std::fmt;

use serde::{Deserialize, Serialize};
use trellis_core::Code;

use crate::name::Name;
use crate::told::for_everybody;

/// Where something that runs is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LifecycleState {
    /// It is being made.
    Starting,
    /// It takes calls, and nothing ails it.
    Ready,
    /// It takes calls, and says that it is not well.
    Degraded,
    /// It failed and is started again at once; calls wait for that.
    Restarting,
    /// It failed too often within a short time, and is started again after a pause. Calls are
    /// refused meanwhile.
    BackingOff,
    /// Its back-offs did not help. It is only tried now and then, and calls are refused.
    Quarantined,
    /// It takes no new calls, and finishes those it has.
    Draining,
    /// It does not run, and nothing will start it by itself.
    Stopped,
}

/// What has a lifecycle.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComponentKind {
    /// A version of an actor.
    Actor,
    /// An instance of a provider.
    Provider,
}

/// Why something is in a state.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cause {
    /// The stable code of the reason.
    #[serde(with = "crate::code")]
    pub code: Code,
    /// The reason, as a sentence.
    pub why: String,
    /// When it is started again, in seconds since 1970; `None` when that is now, or never.
    pub retry_unix_s: Option<u64>,
}

/// The lifecycle of one thing: its state, since when it is in it, and why. It begins with
/// [`starting`](Self::starting), and only [`enter`](Self::enter) leads on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Lifecycle {
    state: LifecycleState,
    since_unix_s: u64,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    cause: Option<Cause>,
}

/// An actor or a provider, and where it is in its life. While one version takes over from another,
/// there are two of one name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Component {
    /// What it is.
    pub kind: ComponentKind,
    /// Its name in the manifest.
    pub name: Name,
    /// Where it is in its life.
    #[serde(flatten)]
    pub lifecycle: Lifecycle,
}

/// A step that no lifecycle takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IllegalTransition {
    /// Where it was, and stays.
    pub from: LifecycleState,
    /// Where it was to go.
    pub to: LifecycleState,
}

impl LifecycleState {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 8] = [
        Self::Starting,
        Self::Ready,
        Self::Degraded,
        Self::Restarting,
        Self::BackingOff,
        Self::Quarantined,
        Self::Draining,
        Self::Stopped,
    ];

    /// The state's name in JSON, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Degraded => "degraded",
            Self::Restarting => "restarting",
            Self::BackingOff => "backing_off",
            Self::Quarantined => "quarantined",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
        }
    }

    /// True for what failed and is to be started again.
    #[must_use]
    pub const fn is_failed(self) -> bool {
        matches!(self, Self::Restarting | Self::BackingOff | Self::Quarantined)
    }

    /// True when this state may follow at once. Nothing starts twice: what takes its place has a
    /// lifecycle of its own. What never ran has no record for which it would be quarantined, and a
    /// quarantine is not shortened to a back-off: it ends with something that runs, or for good.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (_, Self::Starting) | (Self::Stopped, _) => false,
            (_, Self::Stopped) => true,
            (Self::Draining, _) => false,
            (Self::Starting, Self::Quarantined) => false,
            (Self::Quarantined, Self::Restarting | Self::BackingOff) => false,
            _ => true,
        }
    }
}

impl ComponentKind {
    /// The kind's name in texts, JSON, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Actor => "actor",
            Self::Provider => "provider",
        }
    }
}

impl Lifecycle {
    /// The beginning of every lifecycle.
    #[must_use]
    pub const fn starting(now_unix_s: u64) -> Self {
        Self { state: LifecycleState::Starting, since_unix_s: now_unix_s, cause: None }
    }

    /// Goes on to a state, or gives the cause anew of the one it is in. Gives the state before when
    /// that was another one.
    ///
    /// # Errors
    /// The step, when that state may not follow; then nothing changes.
    pub fn enter(
        &mut self,
        next: LifecycleState,
        cause: Option<Cause>,
        now_unix_s: u64,
    ) -> Result<Option<LifecycleState>, IllegalTransition> {
        let before = self.state;
        if before == next {
            self.cause = cause;
            return Ok(None);
        }
        if !before.may_become(next) {
            return Err(IllegalTransition { from: before, to: next });
        }
        *self = Self { state: next, since_unix_s: now_unix_s, cause };
        Ok(Some(before))
    }

    /// The same with a reason of one line, without the user and the password of a URL: whoever
    /// reaches the admin address reads it.
    #[must_use]
    pub fn told(&self) -> Self {
        let mut told = self.clone();
        if let Some(cause) = &mut told.cause {
            cause.why = for_everybody(&cause.why);
        }
        told
    }

    /// The state it is in.
    #[must_use]
    pub const fn state(&self) -> LifecycleState {
        self.state
    }

    /// Since when, in seconds since 1970.
    #[must_use]
    pub const fn since_unix_s(&self) -> u64 {
        self.since_unix_s
    }

    /// Why; `None` when there is nothing to say.
    #[must_use]
    pub const fn cause(&self) -> Option<&Cause> {
        self.cause.as_ref()
    }
}

impl Component {
    /// What it is called, such as `actor counter`.
    #[must_use]
    pub fn subject(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }
}

impl fmt::Display for LifecycleState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for ComponentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::LifecycleState::{
        BackingOff, Degraded, Draining, Quarantined, Ready, Restarting, Starting, Stopped,
    };
    use super::*;

    fn cause(why: &str) -> Option<Cause> {
        Some(Cause { code: Code::CrashLoop, why: why.to_owned(), retry_unix_s: Some(160) })
    }

    #[test]
    fn only_these_steps_are_legal() {
        let legal: [(LifecycleState, &[LifecycleState]); 8] = [
            (Starting, &[Ready, Degraded, Restarting, BackingOff, Draining, Stopped]),
            (Ready, &[Degraded, Restarting, BackingOff, Quarantined, Draining, Stopped]),
            (Degraded, &[Ready, Restarting, BackingOff, Quarantined, Draining, Stopped]),
            (Restarting, &[Ready, Degraded, BackingOff, Quarantined, Draining, Stopped]),
            (BackingOff, &[Ready, Degraded, Restarting, Quarantined, Draining, Stopped]),
            (Quarantined, &[Ready, Degraded, Draining, Stopped]),
            (Draining, &[Stopped]),
            (Stopped, &[]),
        ];
        for (from, legal) in legal {
            let found = LifecycleState::ALL.into_iter().filter(|to| *to != from);
            let found: Vec<_> = found.filter(|to| from.may_become(*to)).collect();
            assert_eq!(found, legal, "from {from}");
        }
    }

    #[test]
    fn a_step_that_is_illegal_changes_nothing() {
        let mut lifecycle = Lifecycle::starting(100);
        assert_eq!(lifecycle.enter(Ready, None, 101), Ok(Some(Starting)));
        assert_eq!(lifecycle.enter(Draining, None, 102), Ok(Some(Ready)));
        let before = lifecycle.clone();
        let refused = lifecycle.enter(Quarantined, cause("late"), 103);
        assert_eq!(refused, Err(IllegalTransition { from: Draining, to: Quarantined }));
        assert_eq!(lifecycle, before);
    }

    #[test]
    fn the_same_state_for_another_reason_lasts_since_it_began() {
        let mut lifecycle = Lifecycle::starting(100);
        assert_eq!(lifecycle.enter(BackingOff, cause("one"), 101), Ok(Some(Starting)));
        assert_eq!(lifecycle.enter(BackingOff, cause("two"), 105), Ok(None));
        assert_eq!(lifecycle.since_unix_s(), 101);
        assert_eq!(lifecycle.cause().map(|cause| &*cause.why), Some("two"));
    }

    #[test]
    fn a_component_survives_json_with_the_words_users_know() {
        let mut lifecycle = Lifecycle::starting(100);
        let name = || Name::from("geo".to_owned());
        let starts = Component { kind: ComponentKind::Provider, name: name(), lifecycle };
        let json = serde_json::to_string(&starts).expect("it is data");
        let text = r#"{"kind":"provider","name":"geo","state":"starting","since_unix_s":100}"#;
        assert_eq!(json, text);
        assert_eq!(serde_json::from_str::<Component>(&json).expect("it reads back"), starts);

        lifecycle = Lifecycle::starting(100);
        lifecycle.enter(BackingOff, cause("it ended"), 101).expect("it may");
        let rests = Component { lifecycle, ..starts };
        assert_eq!(rests.subject(), "provider geo");
        let json = serde_json::to_string(&rests).expect("it is data");
        let text = r#""state":"backing_off","since_unix_s":101,"code":"E_CRASH_LOOP","why":"it ended","retry_unix_s":160}"#;
        assert!(json.ends_with(text), "{json}");
        assert_eq!(serde_json::from_str::<Component>(&json).expect("it reads back"), rests);
    }
}
