//! Every contract, by name: for the guest SDK, the conformance suites, the documentation and the
//! fuzz targets, which concern all of them alike.
//!
//! The list is generated from the folders of `capabilities/` that hold a WIT file. Code that needs
//! only one contract depends on that contract's own crate.
//!
//! **Deliberately absent:** anything written by hand. Each contract is described in its own crate.

use trellis_core::{Contract, OperationVisitor};

// -- generated from capabilities/* by `cargo xtask generate`; do not edit --
pub use trellis_capabilities_clock as clock;
pub use trellis_capabilities_config as config;
pub use trellis_capabilities_extras as extras;
pub use trellis_capabilities_http_server as http_server;
pub use trellis_capabilities_keyvalue as keyvalue;
pub use trellis_capabilities_logging as logging;
pub use trellis_capabilities_random as random;

/// Every contract with the name of its folder, in the order of the names.
pub const ALL: &[(&str, &Contract)] = &[
    ("clock", &clock::CONTRACT),
    ("config", &config::CONTRACT),
    ("extras", &extras::CONTRACT),
    ("http-server", &http_server::CONTRACT),
    ("keyvalue", &keyvalue::CONTRACT),
    ("logging", &logging::CONTRACT),
    ("random", &random::CONTRACT),
];

/// Shows `visitor` each operation of each contract.
pub fn visit_operations<V: OperationVisitor>(visitor: &mut V) {
    clock::visit_operations(visitor);
    config::visit_operations(visitor);
    extras::visit_operations(visitor);
    http_server::visit_operations(visitor);
    keyvalue::visit_operations(visitor);
    logging::visit_operations(visitor);
    random::visit_operations(visitor);
}
// -- end of generated --
