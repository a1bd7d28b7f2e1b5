;; Sends its payload to binding `default`, contract `bench:echo`, operation `Echo`, and replies with
;; what it gets back. Every side runs the same bytes.
(module
  (import "wapc" "__guest_request" (func $request (param i32 i32)))
  (import "wapc" "__guest_response" (func $respond (param i32 i32)))
  (import "wapc" "__host_call"
    (func $call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wapc" "__host_response_len" (func $reply_len (result i32)))
  (import "wapc" "__host_response" (func $reply (param i32)))
  (memory (export "memory") 2)
  (data (i32.const 256) "defaultbench:echoEcho")
  (func (export "__guest_call") (param $operation_len i32) (param $len i32) (result i32)
    (call $request (i32.const 0) (i32.const 1024))
    (if (i32.eqz (call $call
          (i32.const 256) (i32.const 7)     ;; binding
          (i32.const 263) (i32.const 10)    ;; contract
          (i32.const 273) (i32.const 4)     ;; operation
          (i32.const 1024) (local.get $len)))
      (then (return (i32.const 0))))
    (call $reply (i32.const 65536))
    (call $respond (i32.const 65536) (call $reply_len))
    (i32.const 1)))
