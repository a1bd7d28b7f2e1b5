//! What a host runs, and what it wants to run, one by one.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::edit::EditEntry;
use crate::phase::Phase;
use crate::status::Degraded;
use crate::step::BindingRef;

/// A host.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HostEntry {
    /// The manifest's `name`, else the name of its file.
    pub name: String,
    /// The host's key (`N…`): the same after each start, as long as its file is kept.
    pub key: String,
    /// The version of the program.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// Where it is in its life.
    pub phase: Phase,
    /// When it was started, in seconds since 1970.
    pub started_unix_s: u64,
    /// The path of its manifest.
    pub manifest: String,
    /// The labels that the manifest gives it.
    pub labels: BTreeMap<String, String>,
    /// The path of its admin socket.
    pub socket: Option<String>,
    /// Its admin address: for probes and metrics, and for users with a token.
    pub admin: Option<SocketAddr>,
}

/// An actor that runs or is wanted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ActorEntry {
    /// Its name in the manifest.
    pub name: String,
    /// How it is.
    pub state: Condition,
    /// Why it is no better than that.
    pub reasons: Vec<Degraded>,
    /// What it waits for while it starts, such as `provider store`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<String>,
    /// Its key (`M…`); empty until its module was read.
    pub key: String,
    /// The account that signed it (`A…`); `None` of an unsigned module.
    pub issuer: Option<String>,
    /// The number that grows with each release.
    pub revision: Option<i32>,
    /// The version for people.
    pub version: Option<String>,
    /// SHA-256 of the module's file, as hex digits; empty until that was read.
    pub digest: String,
    /// The name other actors may call it by, besides its key and its name in the manifest.
    pub call_alias: Option<String>,
    /// The contracts it may use, as they were signed.
    pub capabilities: Vec<String>,
    /// When its claims end, in seconds since 1970.
    pub expires_unix_s: Option<u64>,
    /// How long its instances live.
    pub isolation: Isolation,
    /// Its limits by their names, in their units, after the host's caps.
    pub limits: BTreeMap<String, u64>,
    /// Its instances now; `None` when it does not run.
    pub instances: Option<Instances>,
    /// Where it takes work from outside.
    pub addresses: Vec<String>,
    /// Its bindings.
    pub bindings: Vec<BindingRef>,
    /// The edit by which it runs other than the manifest says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<EditEntry>,
}

/// How long an instance lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// It serves many calls; a trap ends it.
    Reuse,
    /// It serves one call.
    Fresh,
}

/// An actor's instances at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Instances {
    /// Those alive, idle ones included.
    pub alive: u32,
    /// Those that wait for a call.
    pub idle: u32,
    /// Calls that wait for an instance.
    pub waiting: u32,
}

/// A provider that runs or is wanted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProviderEntry {
    /// Its name in the manifest.
    pub name: String,
    /// How it is.
    pub state: Condition,
    /// Why it is no better than that.
    pub reasons: Vec<Degraded>,
    /// What it waits for while it starts, such as `provider store`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<String>,
    /// What runs it.
    pub kind: ProviderKind,
    /// What it is, such as `keyvalue-redis`; of a program or a module its path, until it was asked.
    pub implementation: String,
    /// The version of that; empty until it was asked.
    pub version: String,
    /// What its signature says; `None` of a part of the host, and of a program without an archive.
    pub signed: Option<SignedEntry>,
    /// The contracts it serves; none until it was asked.
    pub contracts: Vec<String>,
    /// Its values; what may be a secret is [`REDACTED`].
    pub values: BTreeMap<String, String>,
    /// Its process; `None` of a part of the host, and of one that does not run.
    pub process: Option<ProcessEntry>,
    /// The edit by which it runs other than the manifest says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<EditEntry>,
}

/// What is known of a provider that is a signed module or came as a signed archive.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SignedEntry {
    /// Its key (`M…` of a module, `V…` of an archive).
    pub key: String,
    /// The account that signed it (`A…`); `None` of an unsigned module.
    pub issuer: Option<String>,
    /// The number that grows with each release.
    pub revision: Option<i32>,
    /// SHA-256 of the module's file, or of the program that was signed for this machine, as hex
    /// digits.
    pub digest: Option<String>,
    /// When its claims end, in seconds since 1970.
    pub expires_unix_s: Option<u64>,
}

/// What runs a provider.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderKind {
    /// It is a part of the host.
    Builtin,
    /// It is a program of its own.
    Process,
    /// It is a signed module.
    Module,
}

/// The process of a provider.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProcessEntry {
    /// Its process id; `None` while it is being started again.
    pub pid: Option<u32>,
    /// How often it was started again.
    pub restarts: u64,
}

/// A binding that is in force or is wanted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BindingEntry {
    /// Which.
    #[serde(flatten)]
    pub binding: BindingRef,
    /// The provider it leads to, by its name in the manifest; empty until that was found, when the
    /// manifest leaves it out.
    pub provider: String,
    /// How it is.
    pub state: Condition,
    /// Why it is no better than that.
    pub reasons: Vec<Degraded>,
    /// What it waits for while it starts, such as `provider store`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<String>,
    /// Its own values; what may be a secret is [`REDACTED`].
    pub values: BTreeMap<String, String>,
}

/// What is shown in place of a value that may be a secret.
pub const REDACTED: &str = "***";

impl Isolation {
    /// The word that people and programs read.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reuse => "reuse",
            Self::Fresh => "fresh",
        }
    }
}

impl ProviderKind {
    /// The word that people and programs read.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Builtin => "builtin",
            Self::Process => "process",
            Self::Module => "module",
        }
    }
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for ProviderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
