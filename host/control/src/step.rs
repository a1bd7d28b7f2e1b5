//! What a change is made of.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::loss::Loss;

/// Which binding: an actor, a contract, and the binding's name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct BindingRef {
    /// The actor's name in the manifest.
    pub actor: String,
    /// The contract's id.
    pub contract: String,
    /// The binding's name; `default` unless the manifest says otherwise.
    pub name: String,
}

/// One step from what runs to what is wanted. Its [`Display`](fmt::Display) form says what is to be
/// done ("start actor counter"), [`done`](Step::done) what was ("started actor counter").
///
/// Steps are listed in the order in which they act: what may be done less acts first, then the new
/// starts beside the old, then it takes over, then the old goes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// An actor is no longer wanted; calls it has go on to their end.
    StopActor {
        /// Its name in the manifest.
        actor: String,
    },
    /// A binding is no longer wanted, while its actor is.
    Unbind {
        /// Which.
        binding: BindingRef,
        /// The provider it leads to.
        provider: String,
    },
    /// Actors may call whom they like no longer, but only whom their claims list.
    RestrictCalls,
    /// A provider is wanted under another name; what is bound to it stays bound.
    RenameProvider {
        /// Its name in the manifest.
        provider: String,
        /// Its name so far.
        was: String,
    },
    /// A provider is wanted.
    StartProvider {
        /// Its name in the manifest.
        provider: String,
        /// What it is, such as `keyvalue-redis`.
        implementation: String,
    },
    /// A provider is wanted with other values, or as another implementation.
    ReplaceProvider {
        /// Its name in the manifest.
        provider: String,
        /// What it will be.
        implementation: String,
        /// The settings whose values old and new cannot hold at the same time: with any, calls wait
        /// from the end of the old one until the new one is there; without, nobody waits.
        waits_for: Vec<String>,
        /// The values that change, as words: `with CACHE 1MiB`, `without PATH`.
        #[serde(default)]
        changes: Vec<String>,
    },
    /// An actor is wanted.
    StartActor {
        /// Its name in the manifest.
        actor: String,
        /// Its key (`M…`).
        key: String,
        /// What it may no longer do that the version could which ran last.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        loses: Vec<Loss>,
    },
    /// An actor is wanted with other code or other limits. Its bindings go with it.
    ReplaceActor {
        /// Its name in the manifest.
        actor: String,
        /// Its key (`M…`).
        key: String,
        /// The key of what runs, when that is another: another actor takes over the name.
        replaces_key: Option<String>,
        /// What it may no longer do that the version before could.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        loses: Vec<Loss>,
    },
    /// Every actor may call every other one from now on, whatever its claims list.
    OpenCalls,
    /// A binding is wanted.
    Bind {
        /// Which.
        binding: BindingRef,
        /// The provider it leads to.
        provider: String,
    },
    /// A binding is wanted with other values, or to another provider.
    Rebind {
        /// Which.
        binding: BindingRef,
        /// The provider it will lead to.
        provider: String,
        /// The provider it leads to now, when that is another.
        leaves: Option<String>,
        /// The values that change, as words: `with PORT 8183`, `with another URL`.
        #[serde(default)]
        changes: Vec<String>,
    },
    /// A provider is no longer wanted; calls it has go on to their end.
    StopProvider {
        /// Its name in the manifest.
        provider: String,
    },
}

/// The words of a step: for what is to be done, and for what was done.
type Verb = (&'static str, &'static str);

impl Step {
    /// What was done, for a log.
    #[must_use]
    pub fn done(&self) -> String {
        let (_, verb) = self.verb();
        format!("{verb} {}", self.object())
    }

    /// What the step is about, such as `actor counter`: the same for every step about it.
    #[must_use]
    pub fn subject(&self) -> String {
        match self {
            Self::StopActor { actor }
            | Self::StartActor { actor, .. }
            | Self::ReplaceActor { actor, .. } => format!("actor {actor}"),
            Self::RenameProvider { provider, .. }
            | Self::StartProvider { provider, .. }
            | Self::ReplaceProvider { provider, .. }
            | Self::StopProvider { provider } => format!("provider {provider}"),
            Self::Unbind { binding, .. }
            | Self::Bind { binding, .. }
            | Self::Rebind { binding, .. } => format!("binding of {binding}"),
            Self::RestrictCalls | Self::OpenCalls => "calls between actors".to_owned(),
        }
    }

    const fn verb(&self) -> Verb {
        match self {
            Self::StopActor { .. } | Self::StopProvider { .. } => ("stop", "stopped"),
            Self::Unbind { .. } => ("unbind", "unbound"),
            Self::RestrictCalls => ("restrict", "restricted"),
            Self::RenameProvider { .. } => ("rename", "renamed"),
            Self::StartProvider { .. } | Self::StartActor { .. } => ("start", "started"),
            Self::ReplaceProvider { .. } | Self::ReplaceActor { .. } => ("replace", "replaced"),
            Self::OpenCalls => ("open", "opened"),
            Self::Bind { .. } => ("bind", "bound"),
            Self::Rebind { .. } => ("rebind", "rebound"),
        }
    }

    fn object(&self) -> String {
        let plain = || self.subject();
        match self {
            Self::StopActor { .. } | Self::StopProvider { .. } => plain(),
            Self::RestrictCalls => format!("{} to those that claims list", plain()),
            Self::OpenCalls => format!("{} to everybody", plain()),
            Self::StartActor { loses, .. } => format!("{}{}", plain(), no_longer(loses)),
            Self::RenameProvider { provider, was } => format!("provider {was} to {provider}"),
            Self::StartProvider { implementation, .. } => format!("{} ({implementation})", plain()),
            Self::ReplaceProvider { implementation, waits_for, changes, .. } => {
                let mut text = format!("{} ({implementation})", plain());
                if !changes.is_empty() {
                    text = format!("{text} {}", changes.join(", "));
                }
                if !waits_for.is_empty() {
                    text = format!("{text}; calls wait for {} to be free", waits_for.join(", "));
                }
                text
            }
            Self::ReplaceActor { replaces_key: None, loses, .. } => {
                format!("{}{}", plain(), no_longer(loses))
            }
            Self::ReplaceActor { replaces_key: Some(old), key, loses, .. } => {
                format!("{}; its key changes from {old} to {key}{}", plain(), no_longer(loses))
            }
            Self::Unbind { binding, provider } => format!("{binding} from provider {provider}"),
            Self::Bind { binding, provider } => format!("{binding} at provider {provider}"),
            Self::Rebind { binding, provider, leaves, changes } => {
                let way = match leaves {
                    Some(old) => format!("from provider {old} to provider {provider}"),
                    None => format!("at provider {provider}"),
                };
                let changes = changes.join(", ");
                let text = format!("{binding} {way} {changes}");
                text.trim_end().to_owned()
            }
        }
    }
}

/// What an actor may no longer do, behind what else there is to say.
fn no_longer(loses: &[Loss]) -> String {
    if loses.is_empty() {
        return String::new();
    }
    let loses: Vec<_> = loses.iter().map(Loss::to_string).collect();
    format!("; it may no longer {}", loses.join(" or "))
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, _) = self.verb();
        write!(f, "{verb} {}", self.object())
    }
}

impl fmt::Display for BindingRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { actor, contract, name } = self;
        write!(f, "{actor} to {contract}")?;
        if name == "default" { Ok(()) } else { write!(f, " as {name}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding() -> BindingRef {
        let (actor, contract, name) = ("counter", "wascc:keyvalue", "default");
        BindingRef { actor: actor.into(), contract: contract.into(), name: name.into() }
    }

    #[test]
    fn a_step_says_what_is_to_be_done_and_what_was_done() {
        let to_redis = Step::Rebind {
            binding: BindingRef { name: "cache".into(), ..binding() },
            provider: "redis".into(),
            leaves: Some("memory".into()),
            changes: Vec::new(),
        };
        let text = "counter to wascc:keyvalue as cache from provider memory to provider redis";
        assert_eq!(to_redis.to_string(), format!("rebind {text}"));
        assert_eq!(to_redis.done(), format!("rebound {text}"));
        let to_port = Step::Rebind {
            binding: binding(),
            provider: "server".into(),
            leaves: None,
            changes: vec!["with PORT 81".into(), "without HOSTS".into()],
        };
        let text = "counter to wascc:keyvalue at provider server with PORT 81, without HOSTS";
        assert_eq!(to_port.done(), format!("rebound {text}"));
        let store = Step::ReplaceProvider {
            provider: "store".into(),
            implementation: "keyvalue-embedded".into(),
            waits_for: vec!["PATH".into()],
            changes: vec!["with CACHE 1MiB".into(), "without FSYNC".into()],
        };
        let text = "replace provider store (keyvalue-embedded) with CACHE 1MiB, without FSYNC; \
                    calls wait for PATH to be free";
        assert_eq!(store.to_string(), text);
        assert_eq!(store.subject(), "provider store");
        let rename = Step::RenameProvider { provider: "new".into(), was: "old".into() };
        assert_eq!(
            (rename.done(), rename.subject()),
            ("renamed provider old to new".into(), "provider new".into())
        );
        let bind = Step::Bind { binding: binding(), provider: "redis".into() };
        assert_eq!(bind.done(), "bound counter to wascc:keyvalue at provider redis");
        let rules = [Step::RestrictCalls, Step::OpenCalls].map(|step| step.done());
        let text = [
            "restricted calls between actors to those that claims list",
            "opened calls between actors to everybody",
        ];
        assert_eq!(rules, text);
    }

    #[test]
    fn a_step_says_what_an_actor_may_no_longer_do() {
        let operations = vec!["Set".to_owned(), "Del".to_owned()];
        let contract = "wascc:keyvalue".to_owned();
        let loses = vec![Loss::Call("audit".into()), Loss::Operations { contract, operations }];
        let (actor, key) = ("counter".to_owned(), "MA".to_owned());
        let step = Step::ReplaceActor { actor, key, replaces_key: None, loses };
        let text = "actor counter; it may no longer call `audit` or use Set, Del of wascc:keyvalue";
        assert_eq!(step.to_string(), format!("replace {text}"));
        assert_eq!(
            (step.done(), step.subject()),
            (format!("replaced {text}"), "actor counter".into())
        );
        let json = serde_json::to_string(&step).expect("it is data");
        assert!(json.contains(r#""loses":[{"call":"audit"},{"operations":{"#), "{json}");
        assert_eq!(serde_json::from_str::<Step>(&json).expect("it reads back"), step);
    }

    #[test]
    fn a_step_survives_json() {
        let step = Step::Bind { binding: binding(), provider: "redis".into() };
        let json = serde_json::to_string(&step).expect("it is data");
        let key = r#"{"actor":"counter","contract":"wascc:keyvalue","name":"default"}"#;
        assert_eq!(json, format!(r#"{{"step":"bind","binding":{key},"provider":"redis"}}"#));
        assert_eq!(serde_json::from_str::<Step>(&json).expect("it reads back"), step);
        let json = serde_json::to_string(&Step::RestrictCalls).expect("it is data");
        assert_eq!(json, r#"{"step":"restrict_calls"}"#);
        let step = serde_json::from_str::<Step>(&json).expect("it reads back");
        assert_eq!(step, Step::RestrictCalls);
    }
}
