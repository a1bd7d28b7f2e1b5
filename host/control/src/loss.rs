//! What a version of an actor may do less than the one before.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Something that the claims of a version leave out, and that those of the version before had. Its
/// [`Display`](fmt::Display) form goes on after "may no longer".
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Calls to actors, by the key or call alias under which the claims had them.
    Call(String),
    /// Everything of a contract.
    Capability(String),
    /// Some operations of a contract that it may use otherwise.
    Operations {
        /// The contract's id.
        contract: String,
        /// Their names.
        operations: Vec<String>,
    },
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(callee) => write!(f, "call `{callee}`"),
            Self::Capability(contract) => write!(f, "use {contract}"),
            Self::Operations { contract, operations } => {
                write!(f, "use {} of {contract}", operations.join(", "))
            }
        }
    }
}
