//! Messages: no panic, no runaway allocation, and what is read is written the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trellis_core::wire::{self, Decode, Encode};
use trellis_core::{OperationSpec, OperationVisitor};

/// Reads the bytes as every message there is.
struct Reading<'a>(&'a [u8]);

impl OperationVisitor for Reading<'_> {
    fn visit<O: OperationSpec>(&mut self) {
        settle::<O::Input>(self.0);
        settle::<O::Output>(self.0);
    }
}

/// Encoding is exact, so one round settles the bytes.
fn settle<M: Encode + Decode>(bytes: &[u8]) {
    let Ok(message) = wire::from_bytes::<M>(bytes) else { return };
    let once = wire::to_bytes(&message);
    let again = wire::from_bytes::<M>(&once).expect("what is written can be read");
    assert_eq!(wire::to_bytes(&again), once);
}

fuzz_target!(|bytes: &[u8]| trellis_capabilities::visit_operations(&mut Reading(bytes)));
