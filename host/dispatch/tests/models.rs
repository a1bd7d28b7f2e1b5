//! The road under a model checker, which tries every order in which calls and changes can meet.
//!
//! The files under test are the dispatcher's own, with the gate, the maps, arc-swap and tokio as
//! they are: `crate::sync` puts what threads meet at into an order that loom chooses. What goes on
//! inside one step of arc-swap or tokio is not looked at; their authors do that. Above each model
//! stands which edits were tried that it finds.

#[path = "../src/dispatcher.rs"]
#[allow(dead_code, unreachable_pub, reason = "models use a part of it")]
mod dispatcher;
#[path = "../src/failures.rs"]
mod failures;
#[path = "../src/invocation.rs"]
#[allow(dead_code, unreachable_pub, reason = "models use a part of it")]
mod invocation;
#[path = "../src/metrics.rs"]
#[allow(dead_code, unreachable_pub, reason = "models use a part of it")]
mod metrics;
#[path = "../src/observe.rs"]
#[allow(dead_code, unreachable_pub, reason = "models use a part of it")]
mod observe;
#[path = "../src/route.rs"]
#[allow(dead_code, unreachable_pub, reason = "models use a part of it")]
mod route;
#[path = "../src/snapshot.rs"]
#[allow(dead_code, unreachable_pub, reason = "models use a part of it")]
mod snapshot;
mod support;
#[path = "../src/tally.rs"]
#[allow(dead_code, unreachable_pub, reason = "models use a part of it")]
mod tally;
#[path = "../src/target.rs"]
#[allow(unreachable_pub, reason = "it is the library's")]
mod target;
#[path = "../src/trace.rs"]
mod trace;
#[path = "../src/under_way.rs"]
mod under_way;

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, LazyLock, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread::{self, JoinHandle};
use trellis_core::{CallError, Code, Parties, Trace};
use trellis_entitlements::{ActorId, AuthzRequest, EntitlementSet, PrincipalSpec, TargetId};

use dispatcher::{Bounds, Dispatcher, Message};
use invocation::Invocation;
use route::RouteHandle;
use snapshot::Snapshot;
use support::{ACTOR, BINDING, FROM_ACTOR, FROM_HOST, PROVIDER};
use target::{BoxFuture, Target};

/// What `crate::sync` is here: arc-swap and tokio themselves. Before each step of theirs loom
/// chooses who is next; nobody else comes between the choice and the step. What a step promises to
/// show to whom, loom is told by the ordering of its choice.
mod sync {
    use std::future::Future;
    use std::ops::Deref;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll};

    use arc_swap::ArcSwap;
    use loom::sync::atomic::AtomicU32;
    pub(crate) use loom::sync::atomic::{AtomicBool, Ordering};

    /// Who is next at one place.
    #[derive(Default, Debug)]
    struct Turn(AtomicU32);

    impl Turn {
        fn take(&self, ordering: Ordering) {
            self.0.fetch_add(1, ordering);
        }
    }

    pub(crate) struct Published<T> {
        value: ArcSwap<T>,
        turn: Turn,
    }

    /// What was read. Letting it go is a step as well: it may be the last to hold its value.
    pub(crate) struct Read<'a, T> {
        value: arc_swap::Guard<Arc<T>>,
        turn: &'a Turn,
    }

    impl<T: Default> Default for Published<T> {
        fn default() -> Self {
            Self { value: ArcSwap::default(), turn: Turn::default() }
        }
    }

    impl<T> Published<T> {
        pub(crate) fn load(&self) -> Read<'_, T> {
            self.turn.take(Ordering::Acquire);
            Read { value: self.value.load(), turn: &self.turn }
        }

        pub(crate) fn store(&self, value: Arc<T>) {
            self.turn.take(Ordering::AcqRel);
            self.value.store(value);
        }
    }

    impl<T> Deref for Read<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.value
        }
    }

    impl<T> Drop for Read<'_, T> {
        fn drop(&mut self) {
            self.turn.take(Ordering::Release);
        }
    }

    /// Its steps are made under a lock, so that each sees what came before the one before it.
    #[derive(Default, Debug)]
    pub(crate) struct Notify {
        notify: tokio::sync::Notify,
        turn: Turn,
    }

    pub(crate) struct Notified<'a> {
        notified: Pin<Box<tokio::sync::futures::Notified<'a>>>,
        turn: &'a Turn,
    }

    impl Notify {
        pub(crate) fn notify_waiters(&self) {
            self.turn.take(Ordering::AcqRel);
            self.notify.notify_waiters();
        }

        pub(crate) fn notified(&self) -> Notified<'_> {
            Notified { notified: Box::pin(self.notify.notified()), turn: &self.turn }
        }
    }

    impl Notified<'_> {
        pub(crate) fn enable(mut self: Pin<&mut Self>) -> bool {
            self.turn.take(Ordering::AcqRel);
            self.notified.as_mut().enable()
        }
    }

    impl Future for Notified<'_> {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            self.turn.take(Ordering::AcqRel);
            self.notified.as_mut().poll(cx)
        }
    }
}

/// Runs a model in every order of its steps.
fn model(body: impl Fn() + Send + Sync + 'static) {
    // A call that is not answered at once sets an alarm, which never rings here.
    let clock = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let clock = clock.expect("a runtime");
    let _entered = clock.enter();
    // Keys are slow to make, and a model starts over thousands of times.
    LazyLock::force(&ENTITLEMENTS);
    LazyLock::force(&SUCCESSOR);
    let mut every_order = loom::model::Builder::new();
    every_order.preemption_bound = None;
    let body = Arc::new(body);
    every_order.check(move || {
        let body = Arc::clone(&body);
        spawn(move || body()).join().expect("no panic");
    });
}

/// Polls until it is done. Wakers are called under locks that loom does not know, where no thread
/// may be stopped for another; so this looks again whenever the others have gone on. A future that
/// nobody wakes looks for ever, which loom takes for an endless model.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Woken(std::sync::atomic::AtomicBool);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, std::sync::atomic::Ordering::SeqCst);
        }
    }
    let woken = Arc::new(Woken(true.into()));
    let waker = Waker::from(Arc::clone(&woken));
    let mut future = pin!(future);
    loop {
        if woken.0.swap(false, std::sync::atomic::Ordering::SeqCst)
            && let Poll::Ready(done) = future.as_mut().poll(&mut Context::from_waker(&waker))
        {
            return done;
        }
        thread::yield_now();
    }
}

/// A thread of the model. The road needs more stack than loom gives of its own accord.
fn spawn<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    const STACK_WORDS: usize = 64 << 10;
    thread::Builder::new().stack_size(STACK_WORDS).spawn(body).expect("a thread")
}

/// A target that does what the function says when it is asked.
struct Does<F>(F);

impl<F> Target for Does<F>
where
    F: Fn(Invocation) -> Result<Bytes, CallError> + Send + Sync,
{
    fn call<'a>(
        &'a self,
        _: Parties<'_>,
        invocation: Invocation,
    ) -> BoxFuture<'a, Result<Bytes, CallError>> {
        Box::pin(async move { (self.0)(invocation) })
    }
}

fn says(reply: &'static str) -> Arc<dyn Target> {
    Arc::new(Does(move |_| Ok(Bytes::from_static(reply.as_bytes()))))
}

const OLD: ActorId = ActorId(1);
const NEW: ActorId = ActorId(2);
const NEW_TARGET: TargetId = TargetId(3);

static ENTITLEMENTS: LazyLock<EntitlementSet> = LazyLock::new(support::entitlements);
static SUCCESSOR: LazyLock<PrincipalSpec> = LazyLock::new(|| support::counter(NEW, NEW_TARGET));

/// A host with `counter` and its store, and the handle of the route to the store.
fn host(store: Arc<dyn Target>) -> (Arc<Dispatcher>, RouteHandle) {
    let bounds = Bounds { call_time_max: Duration::from_secs(3600), reply_bytes_max: 8 };
    let dispatcher = Dispatcher::new(support::gate(), metrics::Metrics::default(), bounds);
    let entitlements = ENTITLEMENTS.clone();
    let (route, handle) = dispatcher.route("store", store);
    let mut first = Snapshot { entitlements, ..Snapshot::default() };
    first.routes.put(PROVIDER, route);
    dispatcher.publish(first);
    (Arc::new(dispatcher), handle)
}

fn ask(dispatcher: &Dispatcher, request: AuthzRequest<'_>) -> Result<Bytes, CallError> {
    let message =
        Message { payload: Bytes::new(), deadline: None, depth: 0, trace: Trace::default() };
    block_on(dispatcher.dispatch(request, message))
}

/// One publish of what `edit` makes of what is published.
fn edit(dispatcher: &Dispatcher, edit: impl FnOnce(&mut Snapshot)) {
    let mut next = dispatcher.snapshot();
    edit(&mut next);
    dispatcher.publish(next);
}

/// An actor loses a binding, and what it was bound to becomes something else: no call gets there
/// with the right it had before, and none has it back later. Found when tried: `dispatch` takes
/// the routes from a second load of the snapshot; rights and routes are published one after the
/// other, the routes first.
#[test]
fn no_permit_opens_a_later_route() {
    model(|| {
        let (dispatcher, _) = host(says("mine"));
        let other = Arc::clone(&dispatcher);
        let changes = spawn(move || {
            let (route, _) = other.route("store", says("theirs"));
            edit(&other, |next| {
                next.entitlements.unbind(BINDING);
                next.routes.put(PROVIDER, route);
            });
        });
        let answers = [(); 2].map(|()| ask(&dispatcher, FROM_ACTOR));
        changes.join().expect("no panic");
        let last = ask(&dispatcher, FROM_ACTOR);
        let allowed = answers.iter().take_while(|answer| answer.is_ok()).count();
        for (index, answer) in answers.into_iter().chain([last]).enumerate() {
            match answer {
                Ok(reply) => assert!(reply == "mine" && index < allowed, "{reply:?}, {index}"),
                Err(error) => assert_eq!(error.code(), Code::Denied, "{error}"),
            }
        }
    });
}

/// A provider forgets a binding once nobody is on the way over it (`supervisor::retire`, `grace`).
/// Found when tried: `dispatch` lets the route go before the call has ended (it goes on with
/// `route.renewed()`); `renew` leaves the old route published; the binding is taken away in a
/// publish after the one that renews the route.
#[test]
fn a_route_is_gone_when_its_last_call_has_ended() {
    model(|| {
        let forgotten = Arc::new(AtomicBool::new(false));
        let store = {
            let forgotten = Arc::clone(&forgotten);
            Does(move |_| {
                let before = forgotten.load(Ordering::Acquire);
                let after = forgotten.load(Ordering::Acquire);
                Ok(Bytes::from_static(if before || after { b"too late" } else { b"in time" }))
            })
        };
        let (dispatcher, before) = host(Arc::new(store));
        let other = Arc::clone(&dispatcher);
        let asks = spawn(move || ask(&other, FROM_ACTOR));
        let mut renewed = None;
        edit(&dispatcher, |next| {
            next.entitlements.unbind(BINDING);
            renewed = next.routes.renew(PROVIDER);
        });
        block_on(before.gone());
        forgotten.store(true, Ordering::Release);
        match asks.join().expect("no panic") {
            Ok(reply) => assert_eq!(reply, "in time"),
            Err(error) => assert_eq!(error.code(), Code::Denied, "{error}"),
        }
        assert!(renewed.is_some(), "the provider is still there");
    });
}

/// A call of a replaced version may call out until it ends (`supervisor::retire`,
/// `let_version_go`). Found when tried: the version is removed with its route instead of after the
/// route is gone; `succeed` removes the old version instead of retiring it.
#[test]
fn a_replaced_version_keeps_its_rights_until_its_last_call_has_ended() {
    model(|| {
        let (dispatcher, _) = host(says("stored"));
        let road: Weak<Dispatcher> = Arc::downgrade(&dispatcher);
        let out = move |_| ask(&road.upgrade().expect("the host is there"), FROM_ACTOR);
        let (route, of_old) = dispatcher.route("counter", Arc::new(Does(out)));
        edit(&dispatcher, |next| next.routes.put(ACTOR, route));

        let other = Arc::clone(&dispatcher);
        let asks = spawn(move || ask(&other, FROM_HOST));
        let successor = SUCCESSOR.clone();
        let (route, _) = dispatcher.route("counter", says("new"));
        edit(&dispatcher, |next| {
            next.entitlements.succeed(OLD, successor);
            next.routes.put(NEW_TARGET, route);
        });
        edit(&dispatcher, |next| next.routes.remove(ACTOR));
        block_on(of_old.gone());
        edit(&dispatcher, |next| next.entitlements.remove(OLD));
        let reply = asks.join().expect("no panic").expect("one of the two answers");
        assert!(reply == "stored" || reply == "new", "{reply:?}");
        assert_eq!(ask(&dispatcher, FROM_HOST).expect("answers"), "new");
    });
}

/// A target that never answers.
struct Silent;

impl Target for Silent {
    fn call<'a>(
        &'a self,
        _: Parties<'_>,
        _: Invocation,
    ) -> BoxFuture<'a, Result<Bytes, CallError>> {
        Box::pin(std::future::pending())
    }
}

/// Found when tried: `Cut::wanted` looks before it registers; `cut` tells before it marks.
#[test]
fn a_cut_ends_calls_that_came_before_and_after_it() {
    model(|| {
        let (dispatcher, route) = host(Arc::new(Silent));
        let other = Arc::clone(&dispatcher);
        let asks = spawn(move || ask(&other, FROM_ACTOR));
        route.cut();
        for outcome in [asks.join().expect("no panic"), ask(&dispatcher, FROM_ACTOR)] {
            assert_eq!(outcome.expect_err("it is cut").code(), Code::Provider);
        }
    });
}
