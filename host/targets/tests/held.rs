//! Calls that wait for a provider's successor.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use trellis_core::{CallError, Code, Entity, Parties, Trace};
use trellis_dispatch::{BoxFuture, Invocation, Target};
use trellis_targets::{HELD_CALLS_MAX, HeldTarget};

struct Echo;

impl Target for Echo {
    fn call<'a>(
        &'a self,
        _: Parties<'_>,
        invocation: Invocation,
    ) -> BoxFuture<'a, Result<Bytes, CallError>> {
        Box::pin(async move { Ok(invocation.payload) })
    }
}

fn ask<'a>(held: &'a HeldTarget, payload: &'static str) -> BoxFuture<'a, Result<Bytes, CallError>> {
    let invocation = Invocation {
        operation: Cow::Borrowed("Get"),
        payload: Bytes::from_static(payload.as_bytes()),
        deadline: Instant::now(),
        remaining: Duration::ZERO,
        depth: 0,
        trace: Trace::default(),
        binding: None,
    };
    held.call(Parties { origin: &Entity::System, target: &Entity::System }, invocation)
}

#[tokio::test]
async fn calls_wait_and_go_on_to_the_successor() {
    let (held, hold) = HeldTarget::new("store".into());
    let mut early = ask(&held, "early");
    assert!((&mut early).now_or_never().is_none(), "it waits");
    hold.release(Arc::new(Echo));
    assert_eq!(early.await.expect("the successor answers"), "early");
    assert_eq!(ask(&held, "late").await.expect("so it does later"), "late");
}

#[tokio::test]
async fn without_a_successor_they_are_told_why() {
    let (held, hold) = HeldTarget::new("store".into());
    let mut early = ask(&held, "early");
    assert!((&mut early).now_or_never().is_none(), "it waits");
    hold.fail(CallError::new(Code::Storage, "no disk"));
    assert_eq!(early.await.expect_err("there is none").code(), Code::Storage);
    let (held, hold) = HeldTarget::new("store".into());
    drop(hold);
    assert_eq!(ask(&held, "x").await.expect_err("nobody comes").code(), Code::Stopping);
}

#[tokio::test]
async fn held_calls_max_bounds_those_who_wait() {
    let (held, hold) = HeldTarget::new("store".into());
    let mut waiting: Vec<_> = (0..HELD_CALLS_MAX).map(|_| ask(&held, "x")).collect();
    assert!(waiting.iter_mut().all(|call| call.now_or_never().is_none()));
    let refused = ask(&held, "x").await.expect_err("one too many");
    assert_eq!(refused.code(), Code::Busy);
    assert!(refused.message().contains("held_calls_max"), "{refused}");
    drop(waiting.pop());
    let mut next = ask(&held, "x");
    assert!((&mut next).now_or_never().is_none(), "who leaves makes room");
    drop(hold);
}
