//! Modules: the actors of this repository, and guests written by hand.

use std::path::PathBuf;

use crate::binary::repository;

/// The module of an actor in `actors/`, built by `cargo xtask guests`.
///
/// # Panics
/// When it was not built.
#[must_use]
pub fn built(actor: &str) -> Vec<u8> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| repository().join("actors/target"));
    let path = target.join("wasm32-unknown-unknown/release").join(format!("{actor}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!("{}: {error}\nthe actors are not built: run cargo xtask guests", path.display())
    })
}

/// A waPC guest with these `items` (at least a memory) and this `body` of `__guest_call`. `$op` and
/// `$len` are the lengths of the operation and the payload.
#[must_use]
pub fn by_hand(items: &str, body: &str) -> Vec<u8> {
    by_hand_in_form(8, items, body)
}

/// The same in the form of waPC whose host call has this many parameters: 8, 6 or 4.
#[must_use]
pub fn by_hand_in_form(parameters: usize, items: &str, body: &str) -> Vec<u8> {
    wasm(&format!(
        r#"(module
  (import "wapc" "__guest_request" (func $request (param i32 i32)))
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  (import "wapc" "__guest_error" (func $error (param i32 i32)))
  (import "wapc" "__host_call" (func $host_call (param {}) (result i32)))
  (import "wapc" "__host_response_len" (func $host_response_len (result i32)))
  (import "wapc" "__host_response" (func $host_response (param i32)))
  (import "wapc" "__host_error_len" (func $host_error_len (result i32)))
  (import "wapc" "__host_error" (func $host_error (param i32)))
  (import "wapc" "__console_log" (func $log (param i32 i32)))
  {items}
  (func (export "__guest_call") (param $op i32) (param $len i32) (result i32) {body}))"#,
        "i32 ".repeat(parameters)
    ))
}

/// A whole module from its text.
///
/// # Panics
/// When the text is wrong.
#[must_use]
pub fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\nin the module:\n{text}"))
}
