//! A guest that does what its operation's first letter says.

const SOURCE: &str = r#"
(module
  (import "wapc" "__guest_request" (func $request (param i32 i32)))
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  (import "wapc" "__guest_error" (func $error (param i32 i32)))
  (import "wapc" "__host_call"
    (func $host_call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wapc" "__host_response_len" (func $host_response_len (result i32)))
  (import "wapc" "__host_response" (func $host_response (param i32)))
  (import "wapc" "__host_error_len" (func $host_error_len (result i32)))
  (import "wapc" "__host_error" (func $host_error (param i32)))
  (import "wapc" "__console_log" (func $log (param i32 i32)))
  (memory (export "memory") 2)
  (data (i32.const 16) "defaultwascc:keyvalueAdd")
  (global $count (mut i32) (i32.const 0))
  (func (export "__guest_call") (param $op i32) (param $len i32) (result i32)
    (local $first i32)
    (call $request (i32.const 1024) (i32.const 4096))
    (local.set $first (i32.load8_u (i32.const 1024)))
    (if (i32.eq (local.get $first) (i32.const 69)) ;; Echo the payload
      (then (call $response (i32.const 4096) (local.get $len)) (return (i32.const 1))))
    (if (i32.eq (local.get $first) (i32.const 70)) ;; Fail with the payload
      (then (call $error (i32.const 4096) (local.get $len)) (return (i32.const 0))))
    (if (i32.eq (local.get $first) (i32.const 84)) ;; Trap
      (then (unreachable)))
    (if (i32.eq (local.get $first) (i32.const 76)) ;; Loop for ever
      (then (loop $again (br $again))))
    (if (i32.eq (local.get $first) (i32.const 80)) ;; Print the payload
      (then (call $log (i32.const 4096) (local.get $len))))
    (if (i32.eq (local.get $first) (i32.const 67)) ;; Count the calls of this instance
      (then
        (global.set $count (i32.add (global.get $count) (i32.const 1)))
        (i32.store8 (i32.const 0) (i32.add (i32.const 48) (global.get $count)))
        (call $response (i32.const 0) (i32.const 1))
        (return (i32.const 1))))
    (if (i32.eq (local.get $first) (i32.const 72)) ;; Host call with the payload
      (then
        (if (call $host_call (i32.const 16) (i32.const 7) (i32.const 23) (i32.const 14)
              (i32.const 37) (i32.const 3) (i32.const 4096) (local.get $len))
          (then
            (call $host_response (i32.const 8192))
            (call $response (i32.const 8192) (call $host_response_len))
            (return (i32.const 1)))
          (else
            (call $host_error (i32.const 8192))
            (call $error (i32.const 8192) (call $host_error_len))
            (return (i32.const 0))))))
    (call $response (i32.const 0) (i32.const 0))
    (i32.const 1))
)"#;

/// The module, unsigned.
pub(crate) fn module() -> Vec<u8> {
    wat::parse_str(SOURCE).expect("the source above is well-formed")
}
