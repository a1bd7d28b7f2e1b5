//! The exact bytes of every message, and the forms that are tolerated.

use trellis_capabilities_http_server::visit_operations;
use trellis_core::vectors::Suite;

#[test]
fn every_message_has_its_bytes() {
    Suite::read(include_str!("../vectors/http-server.json")).check(visit_operations);
}
