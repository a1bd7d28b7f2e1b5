//! What an actor may use: contracts, their operations, and the messages of each operation.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::call_error::CallError;
use crate::wire::{self, Decode, Encode};

/// The id of a contract, such as `wascc:keyvalue`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContractId(Cow<'static, str>);

impl ContractId {
    /// An id known at compile time.
    #[must_use]
    pub const fn from_static(id: &'static str) -> Self {
        Self(Cow::Borrowed(id))
    }

    /// An id read from claims, a manifest or a guest.
    pub fn new(id: impl Into<String>) -> Self {
        Self(Cow::Owned(id.into()))
    }

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContractId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which way an operation goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The actor asks, the provider answers (`Get`).
    ToProvider,
    /// The provider asks, the actor answers (`HandleRequest`).
    ToActor,
}

/// One named request of a contract.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Operation {
    /// The name on the wire, such as `ListItemDelete`. Unique within the contract.
    pub name: Cow<'static, str>,
    /// Who asks whom.
    pub direction: Direction,
    /// One sentence from the WIT documentation.
    pub doc: Cow<'static, str>,
    /// True when asking twice is like asking once: a request whose answer got lost may be sent
    /// again. Its WIT documentation has a paragraph that begins with `Idempotent:`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub idempotent: bool,
}

/// A contract as data: `contract!` makes it from a WIT file, and a provider declares the ones it
/// serves.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Contract {
    /// The id that claims, manifests and guests use.
    pub id: ContractId,
    /// Other ids that mean the same contract (`wasmcloud:httpserver` for `wascc:http_server`).
    pub aliases: Cow<'static, [ContractId]>,
    /// Every operation, in the order of the WIT file.
    pub operations: Cow<'static, [Operation]>,
}

impl Contract {
    /// True when `id` is this contract's id or one of its aliases.
    #[must_use]
    pub fn answers_to(&self, id: &str) -> bool {
        self.id.as_str() == id || self.aliases.iter().any(|alias| alias.as_str() == id)
    }

    /// The operation with this name.
    #[must_use]
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.name == name)
    }
}

/// An operation as a type. `contract!` makes one marker per operation, so a handler or a test can
/// name an operation and the compiler checks its messages.
pub trait OperationSpec {
    /// The name on the wire.
    const NAME: &'static str;
    /// The contract it belongs to.
    const CONTRACT: &'static Contract;
    /// The request message; `()` means an empty payload.
    type Input: Encode + Decode + Serialize + DeserializeOwned + PartialEq + fmt::Debug;
    /// The reply message; `()` means an empty payload.
    type Output: Encode + Decode + Serialize + DeserializeOwned + PartialEq + fmt::Debug;

    /// Encodes a request.
    #[must_use]
    fn encode_input(input: &Self::Input) -> Vec<u8> {
        wire::to_bytes(input)
    }

    /// Decodes a request.
    ///
    /// # Errors
    /// [`crate::Code::Message`] when the payload is not the request.
    fn decode_input(payload: &[u8]) -> Result<Self::Input, CallError> {
        wire::from_bytes(payload)
    }

    /// Encodes a reply.
    #[must_use]
    fn encode_output(output: &Self::Output) -> Vec<u8> {
        wire::to_bytes(output)
    }

    /// Decodes a reply.
    ///
    /// # Errors
    /// [`crate::Code::Message`] when the payload is not the reply.
    fn decode_output(payload: &[u8]) -> Result<Self::Output, CallError> {
        wire::from_bytes(payload)
    }
}

/// Does something with every operation of a contract. The `visit_operations` that `contract!`
/// generates calls it once for each operation, so golden vectors and fuzz targets leave none out.
pub trait OperationVisitor {
    /// Visits one operation.
    fn visit<O: OperationSpec>(&mut self);
}
