//! The kinds of token beside an actor's: fields as wascap names them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::form::{check_hash, check_text};
use super::kind::Kind;
use crate::error::ClaimsError;
use crate::nkey::KeyKind;

/// A provider outside the host: what it is, and the hashes of its executables.
#[derive(Clone, PartialEq, Serialize, Deserialize, Debug)]
pub struct Provider {
    /// The provider's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The contract it serves; tokens of wasmCloud 1.x leave it out.
    #[serde(rename = "capid", skip_serializing_if = "Option::is_none")]
    pub contract: Option<String>,
    /// Who makes it.
    pub vendor: String,
    /// Its revision.
    #[serde(rename = "rev", skip_serializing_if = "Option::is_none")]
    pub revision: Option<i32>,
    /// Its version, for people.
    #[serde(rename = "ver", skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Upper-case hex SHA-256 by platform, such as `x86_64-linux`.
    pub target_hashes: BTreeMap<String, String>,
    /// A JSON schema of its configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_schema: Option<serde_json::Value>,
}

/// An account: who signs actors and providers.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Account {
    /// The account's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Further keys that may sign for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_signers: Option<Vec<String>>,
}

/// An operator: who vouches for accounts.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Operator {
    /// The operator's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Further keys that may sign for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_signers: Option<Vec<String>>,
}

/// A cluster: who vouches for hosts.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Cluster {
    /// The cluster's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Further keys that may sign for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_signers: Option<Vec<String>>,
}

/// A host (wasmCloud 1.x).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Host {
    /// The host's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The host's labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
}

/// One call between wasmCloud hosts: the subject is the call's id.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Invocation {
    /// The target, as a `wasmbus://` address.
    pub target_url: String,
    /// The origin, as a `wasmbus://` address.
    pub origin_url: String,
    /// Upper-case hex SHA-256 over target, origin and message.
    pub hash: String,
}

impl Kind for Provider {
    const NAME: &'static str = "provider";
    const ISSUERS: &'static [KeyKind] = &[KeyKind::Account];
    const SUBJECTS: &'static [KeyKind] = &[KeyKind::Service];

    fn check(&self) -> Result<(), ClaimsError> {
        check_text("name", self.name.as_deref())?;
        check_text("capid", self.contract.as_deref())?;
        check_text("vendor", [self.vendor.as_str()])?;
        check_text("ver", self.version.as_deref())?;
        check_text("target_hashes", self.target_hashes.keys().map(String::as_str))?;
        self.target_hashes.values().try_for_each(|hash| check_hash("target_hashes", hash))
    }
}

impl Kind for Account {
    const NAME: &'static str = "account";
    const ISSUERS: &'static [KeyKind] = &[KeyKind::Operator];
    const SUBJECTS: &'static [KeyKind] = &[KeyKind::Account];
}

impl Kind for Operator {
    const NAME: &'static str = "operator";
    const ISSUERS: &'static [KeyKind] = &[KeyKind::Operator];
    const SUBJECTS: &'static [KeyKind] = &[KeyKind::Operator];
}

impl Kind for Cluster {
    const NAME: &'static str = "cluster";
    const ISSUERS: &'static [KeyKind] = &[KeyKind::Operator];
    const SUBJECTS: &'static [KeyKind] = &[KeyKind::Cluster];
}

impl Kind for Host {
    const NAME: &'static str = "host";
    const ISSUERS: &'static [KeyKind] = &[KeyKind::Cluster];
    const SUBJECTS: &'static [KeyKind] = &[KeyKind::Server];
}

/// Signed by the sending host (0.18) or by the cluster's key (later).
impl Kind for Invocation {
    const NAME: &'static str = "invocation";
    const ISSUERS: &'static [KeyKind] = &[KeyKind::Server, KeyKind::Cluster];
    const SUBJECTS: &'static [KeyKind] = &[];
}
