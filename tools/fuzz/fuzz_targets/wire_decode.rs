//! Messages: no panic, no runaway allocation, and what is read is written the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trellis_capabilities_extras as extras;
use trellis_capabilities_http_server as http_server;
use trellis_capabilities_keyvalue as keyvalue;
use trellis_capabilities_logging as logging;
use trellis_core::OperationSpec;
use trellis_core::wire::{self, Decode, Encode};

/// Encoding is exact, so one round settles the bytes.
fn settle<M: Encode + Decode>(bytes: &[u8]) {
    let Ok(message) = wire::from_bytes::<M>(bytes) else { return };
    let once = wire::to_bytes(&message);
    let again = wire::from_bytes::<M>(&once).expect("what is written can be read");
    assert_eq!(wire::to_bytes(&again), once);
}

fn both<O: OperationSpec>(bytes: &[u8]) {
    settle::<O::Input>(bytes);
    settle::<O::Output>(bytes);
}

fuzz_target!(|bytes: &[u8]| {
    both::<http_server::HandleRequest>(bytes);
    both::<keyvalue::Add>(bytes);
    both::<keyvalue::Get>(bytes);
    both::<keyvalue::Set>(bytes);
    both::<keyvalue::Range>(bytes);
    both::<keyvalue::SetUnion>(bytes);
    both::<logging::WriteLog>(bytes);
    both::<extras::RequestRandom>(bytes);
});
