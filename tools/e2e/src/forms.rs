//! Guests that call out in each form of waPC, the older ones included.

use trellis_testkit::guests::by_hand_in_form;

use crate::hostile::{OK_AT, OK_BYTES, OK_REPLY};

/// Where a guest keeps the names of its host call, `NAMESPACE!OPERATION`: the form with four
/// parameters takes them as they are, the others their two halves.
const NAMES_AT: usize = 512;
/// Adds 1 to the key `k`, in the encoding of `wascc:keyvalue`.
const ADD: &str = r"\82\a3key\a1k\a5value\01";
const ADD_BYTES: usize = 14;
const ADD_AT: usize = 640;

/// A guest that adds 1 in its store on every request, by a host call with 8, 6 or 4 parameters. It
/// replies `200 ok`, or with the host's words as its error.
#[must_use]
pub fn counting(parameters: usize) -> Vec<u8> {
    calling(parameters, "wascc:keyvalue", "Add")
}

/// The same for another operation, of a contract or an actor.
#[must_use]
pub fn calling(parameters: usize, namespace: &str, operation: &str) -> Vec<u8> {
    let span = |at: usize, len: usize| format!("(i32.const {at}) (i32.const {len}) ");
    let apart =
        span(NAMES_AT, namespace.len()) + &span(NAMES_AT + namespace.len() + 1, operation.len());
    let names = match parameters {
        8 => span(0, 0) + &apart,
        6 => apart,
        _ => span(NAMES_AT, namespace.len() + 1 + operation.len()),
    };
    let items = format!(
        r#"(memory (export "memory") 1) (data (i32.const {OK_AT}) "{OK_REPLY}")
        (data (i32.const {NAMES_AT}) "{namespace}!{operation}")
        (data (i32.const {ADD_AT}) "{ADD}")"#
    );
    let body = format!(
        "(if (i32.eqz (call $host_call {names} {}))
           (then (call $host_error (i32.const 1024))
             (call $error (i32.const 1024) (call $host_error_len))
             (return (i32.const 0))))
         (call $response (i32.const {OK_AT}) (i32.const {OK_BYTES})) (i32.const 1)",
        span(ADD_AT, ADD_BYTES)
    );
    by_hand_in_form(parameters, &items, &body)
}
