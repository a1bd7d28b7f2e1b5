//! What stands for the host in a unit test: a function that answers, and a list of what was asked.

use std::cell::RefCell;

/// One call of the actor to the host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostCall {
    /// The binding's name; empty for calls to actors.
    pub binding: String,
    /// The contract's id, or the other actor.
    pub namespace: String,
    /// The operation.
    pub operation: String,
    /// The request, encoded.
    pub payload: Vec<u8>,
}

/// What the test answers to a call: the encoded reply or the host's error text.
pub type Answer = std::result::Result<Vec<u8>, String>;

struct TestHost {
    answer: Box<dyn FnMut(&HostCall) -> Answer>,
    calls: Vec<HostCall>,
    lines: Vec<String>,
}

thread_local! {
    static HOST: RefCell<Option<TestHost>> = const { RefCell::new(None) };
}

/// Puts a host in place that answers by `answer`.
///
/// # Panics
/// When there is one already.
pub(crate) fn put(answer: Box<dyn FnMut(&HostCall) -> Answer>) {
    let before = HOST.replace(Some(TestHost { answer, calls: Vec::new(), lines: Vec::new() }));
    assert!(before.is_none(), "a test host stands inside another");
}

/// Takes the host away; gives every call that it was asked.
///
/// # Panics
/// When there is none.
pub(crate) fn take() -> Vec<HostCall> {
    HOST.take().expect("the host that was put in place").calls
}

/// The console lines so far.
pub(crate) fn lines() -> Vec<String> {
    HOST.with_borrow(|host| host.as_ref().map(|host| host.lines.clone()).unwrap_or_default())
}

pub(crate) fn host_call(binding: &str, namespace: &str, operation: &str, payload: &[u8]) -> Answer {
    let call = HostCall {
        binding: binding.to_owned(),
        namespace: namespace.to_owned(),
        operation: operation.to_owned(),
        payload: payload.to_vec(),
    };
    HOST.with_borrow_mut(|host| {
        let host = host.as_mut().ok_or("no host: run this inside `testing::with_host`")?;
        let answer = (host.answer)(&call);
        host.calls.push(call);
        answer
    })
}

pub(crate) fn console_log(line: &str) {
    HOST.with_borrow_mut(|host| {
        if let Some(host) = host {
            host.lines.push(line.to_owned());
        }
    });
}
