//! Providers of `demo:geo` that know nothing themselves.

use trellis_testkit::guests::by_hand;

/// What it says of itself: a descriptor of `demo:geo` with the operation `Locate`.
const DESCRIPTOR: &[u8] =
    b"\x82\xa2id\xa8demo:geo\xb4supported_operations\x91\x82\xa4name\xa6Locate\xa9direction\x01";

/// A module that passes each `Locate` on to what it is bound to itself.
#[must_use]
pub fn relay() -> Vec<u8> {
    serving(
        "(if (i32.eqz (call $host_call (i32.const 0) (i32.const 0) (i32.const 512) (i32.const 8)
               (i32.const 1024) (local.get $op) (i32.const 2048) (local.get $len)))
           (then (call $host_error (i32.const 4096))
             (call $error (i32.const 4096) (call $host_error_len))
             (return (i32.const 0))))
         (call $host_response (i32.const 4096))
         (call $response (i32.const 4096) (call $host_response_len))",
    )
}

/// A module that comes to an end with no `Locate`.
#[must_use]
pub fn endless() -> Vec<u8> {
    serving("(loop $ever (br $ever))")
}

/// A module that does this for each `Locate`.
fn serving(locate: &str) -> Vec<u8> {
    let told: String = DESCRIPTOR.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let items = format!(
        "(memory (export \"memory\") 2) (data (i32.const 0) \"{told}\")
         (data (i32.const 512) \"demo:geo\")"
    );
    let body = format!(
        "(call $request (i32.const 1024) (i32.const 2048))
         (if (i32.eq (i32.load8_u (i32.const 1024)) (i32.const 71))
           (then (call $response (i32.const 0) (i32.const {})) (return (i32.const 1))))
         (if (i32.ne (i32.load8_u (i32.const 1024)) (i32.const 76))
           (then (return (i32.const 1))))
         {locate}
         (i32.const 1)",
        DESCRIPTOR.len()
    );
    by_hand(&items, &body)
}
