//! The pool's hand-over, the clock's sleep and the places of the host under a model checker, which
//! tries the orders in which threads can meet and every value a thread may then see. What is
//! published for calls has models of its own (`host/dispatch/tests/models.rs`).
//!
//! The files under test are the engine's own: they name what threads meet at by `crate::sync`, and
//! here that is loom's. A lost wake-up shows as a deadlock. Above each model stands which edits of
//! the code were tried that it finds.

#[path = "../../src/activity.rs"]
#[allow(dead_code, reason = "models use a part of it")]
mod activity;
#[path = "../../src/pool.rs"]
#[allow(dead_code, reason = "models use a part of it")]
mod pool;
#[path = "../../src/residency.rs"]
#[allow(dead_code, reason = "models use a part of it")]
mod residency;
mod sync;
#[path = "../../src/ticker.rs"]
#[allow(dead_code, reason = "models use a part of it")]
mod ticker;

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use loom::future::block_on;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::{Condvar, Mutex};
use loom::thread;
use tokio::sync::OwnedSemaphorePermit;

use pool::{InstanceSlot, Lease, Pool};
use residency::{Residency, Resident};
use ticker::Ticker;

/// Runs a model with at most so many changes of thread where none was needed: nearly every fault
/// of this kind needs two.
fn model(preemptions: usize, body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(body);
}

/// A pool of one, whose one instance is in somebody's hands.
fn pool_of_one() -> (Arc<Pool<u32>>, u32, pool::InstanceSlot<u32>) {
    let pool = Pool::new(1, 4);
    let slot = pool.try_slot().expect("the pool is empty");
    (pool, 7, slot)
}

/// An instance, or the right to make one, as a call gets it.
fn obtain(pool: &Arc<Pool<u32>>) -> Lease<u32> {
    if let Some(instance) = pool.take_idle() {
        return Lease::Idle(instance);
    }
    if let Some(slot) = pool.try_slot() {
        return Lease::Slot(slot);
    }
    let waiter = pool.enqueue().expect("the queue has room");
    block_on(waiter).expect("the pool lives")
}

/// Found when tried: `put_back` looks at the queue before the exchange only; `enqueue` does not
/// look again.
#[test]
fn whoever_waits_gets_what_is_put_back() {
    model(3, || {
        let (pool, instance, slot) = pool_of_one();
        let other = Arc::clone(&pool);
        let waits = thread::spawn(move || {
            sync::stand_at(1);
            assert!(matches!(obtain(&other), Lease::Idle(7)));
        });
        assert!(pool.put_back(instance).is_none());
        waits.join().expect("it was served");
        drop(slot);
    });
}

/// Found when tried: `try_slot` reads `live` without writing to it; `release` does not look at the
/// queue.
#[test]
fn whoever_waits_gets_the_place_of_one_that_ended() {
    model(3, || {
        let (pool, _, slot) = pool_of_one();
        let other = Arc::clone(&pool);
        let waits = thread::spawn(move || {
            sync::stand_at(1);
            assert!(matches!(obtain(&other), Lease::Slot(_)));
        });
        drop(slot);
        waits.join().expect("it was served");
        assert!(pool.is_quiet());
    });
}

/// Found when tried: `put_back` keeps, without looking again, an instance that the queue did not
/// want (the old `requeue`); a waiter that leaves keeps what it was given.
#[test]
fn whoever_waits_behind_one_that_leaves_is_served() {
    model(2, || {
        let (pool, instance, slot) = pool_of_one();
        let (leaver, waiter) = (Arc::clone(&pool), Arc::clone(&pool));
        let leaves = thread::spawn(move || drop(leaver.enqueue()));
        let waits = thread::spawn(move || {
            sync::stand_at(1);
            let lease = obtain(&waiter);
            if let Lease::Idle(instance) = lease {
                assert!(waiter.put_back(instance).is_none());
            }
        });
        assert!(pool.put_back(instance).is_none());
        leaves.join().expect("no panic");
        waits.join().expect("it was served");
        drop(slot);
        assert_eq!(pool.counts().idle, 1, "nothing is lost");
    });
}

/// Found when tried: `put_back` looks whether the pool is closed before the exchange only;
/// `put_back` keeps an instance after it looked a second time.
#[test]
fn nothing_stays_in_a_closed_pool() {
    model(3, || {
        let (pool, instance, slot) = pool_of_one();
        let other = Arc::clone(&pool);
        let closes = thread::spawn(move || {
            sync::stand_at(1);
            other.set_closed(true);
            other.take_all_idle().len()
        });
        let returned = usize::from(pool.put_back(instance).is_some());
        let taken = closes.join().expect("no panic");
        assert_eq!(returned + taken, 1, "one of the two has it");
        assert_eq!(pool.counts().idle, 0);
        drop(slot);
    });
}

/// The same beside a call that waits. Found when tried, and by no other model: `look_again` keeps
/// an instance that no caller waits for any more, without asking whether the pool is closed;
/// `release` gives no slot to a waiter of a closed pool.
#[test]
fn a_drain_serves_who_waits_and_keeps_nothing() {
    model(2, || {
        let (pool, instance, slot) = pool_of_one();
        let (closer, waiter) = (Arc::clone(&pool), Arc::clone(&pool));
        let closes = thread::spawn(move || {
            closer.set_closed(true);
            closer.take_all_idle().len()
        });
        let waits = thread::spawn(move || match waiter.enqueue() {
            // A late call finds the instance gone, and then gets its slot.
            Some(place) => block_on(place).map(|lease| match lease {
                Lease::Idle(instance) => {
                    assert!(waiter.put_back(instance).is_none_or(|seven| seven == 7))
                }
                Lease::Slot(slot) => drop(slot),
            }),
            None => None,
        });
        let _ = pool.put_back(instance);
        closes.join().expect("no panic");
        drop(slot);
        waits.join().expect("no panic");
        assert_eq!(pool.counts().idle, 0);
        assert!(pool.is_quiet());
    });
}

/// What residency counts, for nobody.
mod metrics {
    pub(crate) struct Metrics;

    impl Metrics {
        pub(crate) fn modules_resident(&self, _: usize) {}
        pub(crate) fn limit_hit(&self, _: &'static str) {}
    }
}

/// An instance: its places in the host and in its pool.
struct Instance(
    #[allow(dead_code, reason = "held")] OwnedSemaphorePermit,
    #[allow(dead_code, reason = "held")] InstanceSlot<Instance>,
);

/// An actor, as far as residency knows one.
struct Actor {
    pool: Arc<Pool<Instance>>,
    used: AtomicBool,
    in_memory: AtomicBool,
}

impl Actor {
    fn new() -> Arc<Self> {
        let (pool, used) = (Pool::new(1, 4), AtomicBool::new(true));
        Arc::new(Self { pool, used, in_memory: AtomicBool::new(true) })
    }
}

impl Resident for Actor {
    fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }

    fn take_idle(&self) -> Option<Box<dyn Send>> {
        let idle = self.pool.take_all_idle();
        if idle.is_empty() { None } else { Some(Box::new(idle)) }
    }

    fn leave_memory(&self) {
        let was = self.in_memory.swap(false, Ordering::AcqRel);
        assert!(was, "nobody is told twice");
    }

    fn sweep(self: Arc<Self>) {}
}

fn residency(modules_max: u32) -> Arc<Residency> {
    Arc::new(Residency::new(modules_max, 1, Arc::new(metrics::Metrics)))
}

/// A host with a place for one instance, and a call of another actor that needs it while its owner
/// gives it back. Found when tried: `give_back` looks whether a call waits before it puts the
/// instance back; `permit` does not look for an idle instance after it counts as waiting.
#[test]
fn a_full_host_gets_the_place_of_an_idle_instance() {
    // The call's patience, which never ends here, hangs on a clock.
    let clock = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let clock = clock.expect("a runtime");
    let _entered = clock.enter();
    model(3, || {
        let (residency, owner) = (residency(2), Actor::new());
        let resident: Weak<Actor> = Arc::downgrade(&owner);
        residency.entered(resident);
        let permit = residency.spare_permit().expect("a place");
        let instance = Instance(permit, owner.pool.try_slot().expect("the pool is empty"));
        let host = Arc::clone(&residency);
        let asks = thread::spawn(move || {
            sync::stand_at(1);
            let patience = Instant::now() + Duration::from_secs(3600);
            block_on(host.permit(patience)).expect("there is a place")
        });
        drop(residency.give_back(&owner.pool, instance));
        drop(asks.join().expect("it was served"));
        assert!(residency.spare_permit().is_some(), "nothing is lost");
    });
}

/// Two modules come into memory, where one may stay. Found when tried: `module_victim` counts
/// under one lock and takes under another.
#[test]
fn of_two_modules_that_come_at_once_one_stays() {
    model(3, || {
        let (residency, actors) = (residency(1), [Actor::new(), Actor::new()]);
        let (host, second) = (Arc::clone(&residency), Arc::clone(&actors[1]));
        let enters = |residency: &Residency, actor: &Arc<Actor>| {
            let resident: Weak<Actor> = Arc::downgrade(actor);
            residency.entered(resident);
        };
        let comes = thread::spawn(move || enters(&host, &second));
        enters(&residency, &actors[0]);
        comes.join().expect("no panic");
        let stay = actors.iter().filter(|actor| actor.in_memory.load(Ordering::Acquire));
        assert_eq!(stay.count(), 1);
    });
}

/// The clock sleeps only while nothing runs, and whoever begins a call beside a sleeping clock
/// wakes it; when the clock is dropped its thread ends. The second call may come while the clock
/// is about to sleep. Found when tried: `is_idle` reads what began without writing to it; `begin`
/// looks whether the clock is awake before it counts the call; `sleep` falls asleep after it
/// looked; `running` wakes nobody; `wake` unparks nobody; the drop wakes the thread before it says
/// that it is to end.
#[test]
fn no_call_runs_beside_a_sleeping_clock() {
    model(2, || {
        // True while a guest that is to be cut waits for a tick.
        let cut = Arc::new((Mutex::new(false), Condvar::new()));
        let clocks = Arc::clone(&cut);
        let ticker = Ticker::start(move || {
            *clocks.0.lock().expect("no panic") = false;
            clocks.1.notify_one();
        });
        let ticker = ticker.expect("a thread");
        for _ in 0..2 {
            let running = ticker.running();
            let mut waits = cut.0.lock().expect("no panic");
            *waits = true;
            sync::let_time_pass(1);
            while *waits {
                waits = cut.1.wait(waits).expect("no panic");
            }
            drop((waits, running));
            sync::let_time_pass(1);
        }
        // Until the clock sees that it is to end, it may do a tick or two more.
        sync::let_time_pass(2);
        drop(ticker);
    });
}
