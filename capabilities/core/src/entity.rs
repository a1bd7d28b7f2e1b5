//! The parties of a call.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::contract::ContractId;

/// The public nkey (`M…`, 56 characters) that names an actor: the `sub` of its claims.
///
/// Cheap to clone. `trellis-claims` decides whether the text is a valid nkey. Here it is an opaque
/// name, so a test can call its actor `MECHO`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct ActorKey(Arc<str>);

impl ActorKey {
    /// Wraps a key that was already checked, or that a test made up.
    pub fn new(key: impl Into<Arc<str>>) -> Self {
        Self(key.into())
    }

    /// The key's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for ActorKey {
    fn from(key: String) -> Self {
        Self::new(key)
    }
}

impl From<ActorKey> for String {
    fn from(key: ActorKey) -> Self {
        key.as_str().to_owned()
    }
}

impl fmt::Display for ActorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ActorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActorKey({})", self.0)
    }
}

/// The name of one binding between an actor and a contract; `default` unless the manifest says so.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct BindingName(Arc<str>);

impl BindingName {
    /// The name of a binding that was given none. An empty name on the wire means this one: the
    /// AssemblyScript SDK and wasmCloud's actor calls send an empty string.
    pub const DEFAULT: &'static str = "default";

    /// The name as given; the empty name becomes [`BindingName::DEFAULT`].
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(Arc::from(Self::normalize(name)))
    }

    /// `name`, or [`BindingName::DEFAULT`] when it is empty.
    #[must_use]
    pub fn normalize(name: &str) -> &str {
        if name.is_empty() { Self::DEFAULT } else { name }
    }

    /// The name's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for BindingName {
    fn default() -> Self {
        Self::new(Self::DEFAULT)
    }
}

impl From<String> for BindingName {
    fn from(name: String) -> Self {
        Self::new(&name)
    }
}

impl From<BindingName> for String {
    fn from(name: BindingName) -> Self {
        name.as_str().to_owned()
    }
}

impl fmt::Display for BindingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The host's handle for one binding between an actor and a provider: unique while the host runs,
/// never reused.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Debug, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct BindingId(pub u64);

/// One end of a call. Stamped by the host, never taken from a guest or a payload.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Entity {
    /// A signed WebAssembly module, by its key.
    Actor(ActorKey),
    /// A provider of a contract, as one actor reaches it through a binding.
    Provider {
        /// The contract it serves.
        contract: ContractId,
        /// The binding through which it is reached.
        binding: BindingName,
    },
    /// The host itself: health requests, the command line, tests.
    System,
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Actor(key) => key.fmt(f),
            Self::Provider { contract, binding } => write!(f, "{contract}/{binding}"),
            Self::System => f.write_str("system"),
        }
    }
}
