//! Edits: what a host is told to run other than its manifest says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use trellis_core::BindingName;

use crate::applied::Applied;
use crate::data::DataTerms;
use crate::lifecycle::ComponentKind;

/// What is to be other than it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Edit {
    /// Another version of an actor.
    Actor {
        /// Its name in the manifest.
        name: String,
        /// The signed module: an absolute path on the host's machine, or an image in a registry.
        image: String,
    },
    /// Other values of a provider, or another implementation.
    Provider {
        /// Its name in the manifest.
        name: String,
        /// What it is to be: `builtin:NAME`, `module:PATH`, `archive:PATH` or `process:PATH`. Then
        /// it has no values but those that are set. `None` is what it is.
        #[serde(default)]
        to: Option<String>,
        /// Values to set.
        #[serde(default)]
        set: BTreeMap<String, String>,
        /// Values to take away.
        #[serde(default)]
        unset: Vec<String>,
    },
    /// What an edit before had, or what the manifest says.
    Rollback {
        /// What it is; needed when an actor and a provider have the name.
        #[serde(default)]
        kind: Option<ComponentKind>,
        /// Its name in the manifest.
        name: String,
        /// The revision of what is wanted by which it had that; `None` is the one before the edit
        /// that is in force.
        #[serde(default)]
        to: Option<u64>,
        /// What the manifest says: all that edits have there is given up.
        #[serde(default)]
        to_manifest: bool,
    },
    /// It is to run no more, until it is started.
    Stop {
        /// What it is.
        kind: ComponentKind,
        /// Its name.
        name: String,
    },
    /// What was stopped is to run again; or, with what it is, something that the manifest does not
    /// have.
    Start {
        /// What it is.
        kind: ComponentKind,
        /// Its name.
        name: String,
        /// Of an actor that the manifest does not have the signed module, as in [`Edit::Actor`].
        #[serde(default)]
        image: Option<String>,
        /// Of a provider that the manifest does not have what it is, as in [`Edit::Provider`].
        #[serde(default)]
        to: Option<String>,
        /// Its values.
        #[serde(default)]
        set: BTreeMap<String, String>,
    },
    /// As many instances of an actor at once, at most.
    Scale {
        /// Its name.
        name: String,
        /// How many: `instances.max` in the manifest.
        instances: u32,
    },
    /// An actor is to use a capability, or with other values or over another provider than now.
    Bind {
        /// The actor's name.
        actor: String,
        /// The contract.
        capability: String,
        /// The name by which the actor calls it.
        #[serde(default = "default_name")]
        name: String,
        /// The provider; `None` is the one that it has, or the only one that serves it.
        #[serde(default)]
        provider: Option<String>,
        /// Values to set.
        #[serde(default)]
        set: BTreeMap<String, String>,
        /// Values to take away.
        #[serde(default)]
        unset: Vec<String>,
    },
    /// An actor is to use a capability no more.
    Unbind {
        /// The actor's name.
        actor: String,
        /// The contract.
        capability: String,
        /// The name by which the actor calls it.
        #[serde(default = "default_name")]
        name: String,
    },
}

fn default_name() -> String {
    BindingName::DEFAULT.to_owned()
}

impl Edit {
    /// True when it goes back, to what is in memory.
    #[must_use]
    pub const fn is_rollback(&self) -> bool {
        matches!(self, Self::Rollback { .. })
    }

    /// True when it waits for no other edit: it reads nothing, and may be meant to end trouble.
    #[must_use]
    pub const fn goes_first(&self) -> bool {
        matches!(self, Self::Rollback { .. } | Self::Stop { .. })
    }

    /// True when it puts another version or another provider in the place of one, which may do
    /// worse than that.
    #[must_use]
    pub const fn is_update(&self) -> bool {
        matches!(self, Self::Actor { .. } | Self::Provider { .. })
    }

    /// The values that it sets.
    #[must_use]
    pub const fn values(&self) -> Option<&BTreeMap<String, String>> {
        match self {
            Self::Provider { set, .. } | Self::Start { set, .. } | Self::Bind { set, .. } => {
                Some(set)
            }
            _ => None,
        }
    }
}

/// An edit, and how it is to be made: the body of `POST /v1/edits`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EditRequest {
    /// What is to be other than it is.
    pub edit: Edit,
    /// Also with another key or an older revision, and also a provider that is not well.
    #[serde(default)]
    pub force: bool,
    /// Also with more capabilities than the version before has.
    #[serde(default)]
    pub allow_more_capabilities: bool,
    /// Only tell what would change.
    #[serde(default)]
    pub dry_run: bool,
    /// What a provider keeps is to go along to the one that follows; calls wait meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<DataTerms>,
    /// When it is taken back by itself. With `data` it is not: what was written since would be
    /// lost.
    #[serde(default)]
    pub watch: WatchTerms,
    /// So many of the actor's calls that were kept the new version answers before it serves; `None`
    /// is all of them.
    #[serde(default)]
    pub replay: Option<u32>,
}

/// When an edit is taken back by itself. What is not given is the host's default.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchTerms {
    /// Most calls that are watched; 0 for none.
    #[serde(default)]
    pub calls: Option<u64>,
    /// Longest time that is watched, in milliseconds.
    #[serde(default)]
    pub time_ms: Option<u64>,
    /// Most calls of a hundred that may fail.
    #[serde(default)]
    pub errors_percent: Option<u8>,
}

/// What came of an edit so far.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Edited {
    /// The revision of what is wanted now.
    pub revision: u64,
    /// True when nothing had to change: it is so already.
    pub unchanged: bool,
    /// True when nothing was done; then `applied` has the steps that would be.
    pub dry_run: bool,
    /// True when it is watched from now on and may be taken back.
    pub watched: bool,
    /// The steps that were done, and those that failed.
    pub applied: Applied,
    /// What its maker should know: for how long it holds, and what the manifest would say.
    pub notes: Vec<String>,
}

/// The edits of a host that are in force.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Edits {
    /// The revision of what is wanted.
    pub revision: u64,
    /// The same, unlike that of any other start of the host: an edit may name the one that it was
    /// made for (`If-Match`). Opaque.
    pub etag: String,
    /// Those in force, actors first, in the order of their names.
    pub edits: Vec<EditEntry>,
}

impl Edits {
    /// The ETag of a revision of the start of a host that is known by `start`.
    #[must_use]
    pub fn etag_of(start: &str, revision: u64) -> String {
        format!("{start}-{revision}")
    }

    /// The start and the revision that an ETag is of; `None` for what is none.
    #[must_use]
    pub fn read_etag(etag: &str) -> Option<(&str, u64)> {
        let (start, revision) = etag.rsplit_once('-')?;
        let is_word = !start.is_empty()
            && start.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        Some((start, revision.parse().ok()?)).filter(|_| is_word)
    }

    /// The ETag of another revision since the same start.
    #[must_use]
    pub fn etag_at(&self, revision: u64) -> String {
        let start = Self::read_etag(&self.etag).map_or("", |(start, _)| start);
        Self::etag_of(start, revision)
    }
}

/// An edit that is in force.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EditEntry {
    /// What it is about.
    pub kind: ComponentKind,
    /// The name in the manifest.
    pub name: String,
    /// The revision of what is wanted that it began with.
    pub revision: u64,
    /// What runs by it, such as `/srv/counter-2.wasm`.
    pub what: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_is_of_one_start() {
        let etag = Edits::etag_of("ab-1", 7);
        assert_eq!(Edits::read_etag(&etag), Some(("ab-1", 7)));
        for wrong in ["", "7", "-7", "ab-", "ab-x", "ab--", "\"ab-7"] {
            assert_eq!(Edits::read_etag(wrong), None, "{wrong}");
        }
        let edits = Edits { revision: 7, etag, edits: Vec::new() };
        assert_eq!(edits.etag_at(3), "ab-1-3");
    }

    #[test]
    fn an_edit_reads_as_it_is_documented_and_a_mistake_is_told() {
        let read = |text: &str| serde_json::from_str::<EditRequest>(text);
        let plain = r#"{"edit": {"actor": {"name": "a", "image": "/a.wasm"}}}"#;
        let request = read(plain).expect("an edit");
        assert_eq!(request.edit, Edit::Actor { name: "a".into(), image: "/a.wasm".into() });
        assert!(!request.force && !request.dry_run && request.watch == WatchTerms::default());
        let json = serde_json::to_string(&request).expect("it is data");
        assert_eq!(read(&json).expect("it reads back"), request);
        let bind = read(r#"{"edit": {"bind": {"actor": "a", "capability": "x:y"}}}"#);
        let Edit::Bind { name, provider: None, .. } = bind.expect("an edit").edit else {
            panic!("it binds");
        };
        assert_eq!(name, "default", "as in a manifest");
        for wrong in [
            r#"{"edit": {"actor": {"name": "a", "image": "/a.wasm", "images": 1}}}"#,
            r#"{"edit": {"actor": {"name": "a"}}}"#,
            r#"{"edit": {"actr": {"name": "a"}}}"#,
            r#"{"edit": {"rollback": {"name": "a"}}, "forced": true}"#,
            r#"{"edit": {"stop": {"name": "a"}}}"#,
            r#"{"edit": {"scale": {"name": "a", "instances": -1}}}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
