//! Guests written by hand that do everything wrong that a guest can do.
//!
//! Each of them behaves well on `GET` and does its one bad thing on any other method, so a scenario
//! can see the same actor before, during and after.

use trellis_testkit::guests::by_hand;

/// The reply `200 ok` in the HTTP contract's encoding.
pub(crate) const OK_REPLY: &str = r#"\83\aastatusCode\cc\c8\a6header\80\a4body\c4\02ok"#;
/// Its size in bytes.
pub(crate) const OK_BYTES: usize = 31;
/// Its address in a guest's memory.
pub(crate) const OK_AT: usize = 16;
/// Where a guest puts the operation and the payload of a call.
const OPERATION_AT: usize = 1_024;
const PAYLOAD_AT: usize = 2_048;
/// The method's first letter in a request, after a map's head, `method` and a string's head.
const METHOD_AT: usize = PAYLOAD_AT + 9;

/// A request on which these guests behave well: they look at the method only.
pub const GOOD: &[u8] = b"\x81\xa6method\xa3GET";
/// A request on which they do their worst.
pub const BAD: &[u8] = b"\x81\xa6method\xa4POST";

/// One bad guest.
pub struct Hostile {
    /// The name of the actor.
    pub name: &'static str,
    /// The code that a bad call fails with; `None` when the guest only wastes its own resources and
    /// replies.
    pub code: Option<&'static str>,
    /// Declarations besides `__guest_call`.
    items: &'static str,
    /// What it does when it is bad; at its end it replies `200 ok`.
    body: &'static str,
}

impl Hostile {
    /// The module.
    #[must_use]
    pub fn module(&self) -> Vec<u8> {
        let memory = if self.items.contains("(memory") { "" } else { MEMORY };
        let items = format!("{memory} (data (i32.const {OK_AT}) \"{OK_REPLY}\") {}", self.items);
        let body = format!(
            "(call $request (i32.const {OPERATION_AT}) (i32.const {PAYLOAD_AT}))
             (if (i32.ne (i32.load8_u (i32.const {METHOD_AT})) (i32.const 71))
               (then {}))
             (call $response (i32.const {OK_AT}) (i32.const {OK_BYTES}))
             (i32.const 1)",
            self.body
        );
        by_hand(&items, &body)
    }
}

/// The memory of a guest that declares none.
const MEMORY: &str = "(memory (export \"memory\") 1)";

/// The guest with this name.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn hostile(name: &str) -> Vec<u8> {
    ALL.iter().find(|guest| guest.name == name).expect("a hostile guest with that name").module()
}

/// A guest that does nothing wrong: it replies `200 ok` to every request.
#[must_use]
pub fn harmless() -> Vec<u8> {
    guest(("harmless", None), "", "").module()
}

/// Every hostile guest.
pub const ALL: &[Hostile] = &[
    guest(("traps", Some("E_TRAP")), "", "(unreachable)"),
    guest(
        ("divides-by-zero", Some("E_TRAP")),
        "",
        "(drop (i32.div_u (i32.const 1) (i32.const 0)))",
    ),
    guest(("reads-beyond", Some("E_TRAP")), "", "(drop (i32.load (i32.const -4)))"),
    guest(
        ("recurses", Some("E_STACK")),
        "(func $deep (param i32) (result i32)
           (i32.add (i32.const 1) (call $deep (local.get 0))))",
        "(drop (call $deep (i32.const 0)))",
    ),
    guest(
        ("grows", Some("E_MEMORY")),
        "",
        "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
         (unreachable)",
    ),
    guest(("loops", Some("E_TIMEOUT")), "", "(loop $forever (br $forever))"),
    guest(
        ("answers-from-nowhere", Some("E_GUEST_POINTER")),
        "",
        "(call $response (i32.const -16) (i32.const 64))",
    ),
    guest(
        ("answers-too-much", Some("E_GUEST_POINTER")),
        "",
        "(call $response (i32.const 0) (i32.const -1))",
    ),
    guest(
        ("calls-with-bad-pointers", Some("E_GUEST_POINTER")),
        "",
        "(drop (call $host_call (i32.const 0) (i32.const 8) (i32.const 0) (i32.const 8)
           (i32.const 0) (i32.const 8) (i32.const 65000) (i32.const 2147483647)))",
    ),
    guest(
        ("calls-with-long-names", None),
        "",
        "(drop (call $host_call (i32.const 0) (i32.const 60000) (i32.const 0) (i32.const 8)
           (i32.const 0) (i32.const 8) (i32.const 0) (i32.const 0)))",
    ),
    guest(
        ("floods-the-host", None),
        r#"(data (i32.const 512) "wascc:keyvalue") (data (i32.const 544) "Get")"#,
        "(local.set $op (i32.const 200))
         (loop $more
           (drop (call $host_call (i32.const 0) (i32.const 0) (i32.const 512) (i32.const 14)
             (i32.const 544) (i32.const 3) (i32.const 0) (i32.const 0)))
           (local.set $op (i32.sub (local.get $op) (i32.const 1)))
           (br_if $more (local.get $op)))",
    ),
    guest(
        ("floods-the-log", None),
        r#"(data (i32.const 512) "a line of a guest that never stops\n{\"level\":\"ERROR\"}")"#,
        "(local.set $op (i32.const 3000))
         (loop $more
           (call $log (i32.const 512) (i32.const 52))
           (local.set $op (i32.sub (local.get $op) (i32.const 1)))
           (br_if $more (local.get $op)))",
    ),
    guest(
        ("fails", Some("E_GUEST")),
        r#"(data (i32.const 512) "no\n\1b[31m")"#,
        "(call $error (i32.const 512) (i32.const 8)) (return (i32.const 0))",
    ),
    guest(("says-nothing", None), "", "(return (i32.const 1))"),
    guest(
        ("answers-nonsense", None),
        r#"(data (i32.const 512) "\dd\ff\ff\ff\ff")"#,
        "(call $response (i32.const 512) (i32.const 5)) (return (i32.const 1))",
    ),
];

const fn guest(
    (name, code): (&'static str, Option<&'static str>),
    items: &'static str,
    body: &'static str,
) -> Hostile {
    Hostile { name, code, items, body }
}
