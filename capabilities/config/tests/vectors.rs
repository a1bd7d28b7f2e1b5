//! The exact bytes of every message, and the forms that are tolerated.

use trellis_capabilities_config::visit_operations;
use trellis_core::vectors::Suite;

#[test]
fn every_message_has_its_bytes() {
    Suite::read(include_str!("../vectors/config.json")).check(visit_operations);
}
