//! Slow guests, written by hand: they take long to start, or in the middle of a call.

use trellis_testkit::guests::by_hand;

/// What a guest logs before it computes for long.
pub const BEGUN: &str = "taking my time";

/// Rounds of an empty loop; a few billion take about a second.
pub type Rounds = u64;

/// More imports of a guest, and what it sends to its host.
const ITEMS: &str = r#"
  (import "wapc" "__host_response_len" (func $response_len (result i32)))
  (import "wapc" "__host_response" (func $response_to (param i32)))
  (import "wapc" "__host_error_len" (func $error_len (result i32)))
  (import "wapc" "__host_error" (func $error_to (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "\83\aastatusCode\cc\c8\a6header\80\a4body\c4\00")
  (data (i32.const 512) "wascc:keyvalue")
  (data (i32.const 544) "Add")
  (data (i32.const 560) "\82\a3key\a1a\a5value\01")
  (data (i32.const 608) "taking my time")
"#;

/// A function `$burn` of this many rounds.
fn burning(rounds: Rounds) -> String {
    format!(
        "(func $burn (local $left i64)
           (local.set $left (i64.const {rounds}))
           (loop $more
             (local.set $left (i64.sub (local.get $left) (i64.const 1)))
             (br_if $more (i64.ne (local.get $left) (i64.const 0)))))"
    )
}

/// Adds one to the counter `a` of `wascc:keyvalue` and replies with what the store returned, whose
/// last byte is the counter. On any method but `GET` it logs [`BEGUN`] and burns the rounds first.
#[must_use]
pub fn counts_late(rounds: Rounds) -> Vec<u8> {
    let body = "
      (call $request (i32.const 1024) (i32.const 2048))
      (if (i32.ne (i32.load8_u (i32.const 2057)) (i32.const 71))
        (then (call $log (i32.const 608) (i32.const 14)) (call $burn)))
      (if (i32.eqz (call $host_call (i32.const 0) (i32.const 0) (i32.const 512) (i32.const 14)
            (i32.const 544) (i32.const 3) (i32.const 560) (i32.const 14)))
        (then
          (call $error_to (i32.const 4096))
          (call $error (i32.const 4096) (call $error_len))
          (return (i32.const 0))))
      (call $response_to (i32.const 45))
      (i32.store8 (i32.const 44) (call $response_len))
      (call $response (i32.const 16) (i32.add (i32.const 29) (call $response_len)))
      (i32.const 1)";
    by_hand(&format!("{ITEMS} {}", burning(rounds)), body)
}

/// Replies `200` without a body, and burns the rounds when an instance starts.
#[must_use]
pub fn starts_late(rounds: Rounds) -> Vec<u8> {
    let init = "(func (export \"_initialize\") (call $burn))";
    let body = "(call $response (i32.const 16) (i32.const 29)) (i32.const 1)";
    by_hand(&format!("{ITEMS} {} {init}", burning(rounds)), body)
}
