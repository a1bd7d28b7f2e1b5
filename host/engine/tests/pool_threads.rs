//! The pool by itself, with real threads that come and go: what the models cannot reach in number.

#[path = "../src/pool.rs"]
#[allow(dead_code, reason = "the test uses a part of it")]
mod pool;
#[path = "../src/sync.rs"]
#[allow(dead_code, unused_imports, reason = "the clock uses the rest")]
mod sync;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pool::{InstanceSlot, Lease, Pool};

/// An instance: it holds its place, and counts itself.
struct Instance {
    _slot: InstanceSlot<Instance>,
    alive: Arc<AtomicU32>,
}

impl Instance {
    fn new(slot: InstanceSlot<Self>, alive: &Arc<AtomicU32>, max: u32) -> Self {
        // Relaxed, here and below: a count that is looked at when all threads have ended, or that
        // only has to stay below a number.
        assert!(alive.fetch_add(1, Ordering::Relaxed) < max, "one instance too many");
        Self { _slot: slot, alive: Arc::clone(alive) }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Longest wait for an instance; with a lost wake-up the wait would have no end.
const PATIENCE: Duration = Duration::from_secs(30);

async fn obtain(pool: &Arc<Pool<Instance>>, alive: &Arc<AtomicU32>, max: u32) -> Instance {
    if let Some(instance) = pool.take_idle() {
        return instance;
    }
    let lease = match pool.try_slot() {
        Some(slot) => Lease::Slot(slot),
        None => {
            let waiter = pool.enqueue().expect("the queue has room for all");
            let waited = tokio::time::timeout(PATIENCE, waiter).await;
            waited.expect("a wake-up was lost").expect("the pool lives")
        }
    };
    match lease {
        Lease::Idle(instance) => instance,
        Lease::Slot(slot) => Instance::new(slot, alive, max),
    }
}

#[test]
fn threads_share_few_instances_and_none_waits_in_vain() {
    const THREADS: u32 = 8;
    const ROUNDS: u32 = 5_000;
    for max in 1..=3 {
        let pool = Pool::<Instance>::new(max, THREADS);
        let alive = Arc::new(AtomicU32::new(0));
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (pool, alive) = (&pool, &alive);
                scope.spawn(move || {
                    let runtime =
                        tokio::runtime::Builder::new_current_thread().enable_time().build();
                    let runtime = runtime.expect("a runtime");
                    runtime.block_on(async {
                        for round in 0..ROUNDS {
                            // Now and then one leaves the queue at once.
                            if (round + thread) % 7 == 0 {
                                drop(pool.enqueue());
                            }
                            let instance = obtain(pool, alive, max).await;
                            // Now and then one ends.
                            if (round + thread) % 5 == 0 {
                                drop(instance);
                            } else {
                                assert!(pool.put_back(instance).is_none(), "it is open");
                            }
                        }
                    });
                });
            }
        });
        let counts = pool.counts();
        assert_eq!((counts.waiting, counts.live), (0, counts.idle), "all are back");
        pool.set_closed(true);
        drop(pool.take_all_idle());
        assert!(pool.is_quiet());
        assert_eq!(alive.load(Ordering::Relaxed), 0);
    }
}

/// Found when tried: a waiter that leaves takes the first place out instead of its own.
#[tokio::test]
async fn whoever_leaves_the_queue_takes_only_its_own_place() {
    let pool: Arc<Pool<u32>> = Pool::new(1, 5);
    let slot = pool.try_slot().expect("the pool is empty");
    let mut waiters: Vec<_> = (0..5).map(|_| pool.enqueue()).collect();
    assert!(waiters.iter().all(Option::is_some) && pool.enqueue().is_none(), "the queue is full");
    for left in [3, 0] {
        waiters[left] = None;
    }
    assert_eq!(pool.counts().waiting, 3);
    waiters.extend([pool.enqueue(), pool.enqueue()]);
    assert!(waiters[6].is_some() && pool.enqueue().is_none(), "two places were free");
    // An instance goes to each of those who stayed, in the order in which they came.
    let mut instance = 7;
    for mut waiter in waiters.into_iter().flatten() {
        assert!(pool.put_back(instance).is_none(), "somebody waits");
        let leased = tokio::time::timeout(PATIENCE, &mut waiter).await;
        let Ok(Some(Lease::Idle(next))) = leased else { panic!("it was not its turn") };
        instance = next;
    }
    assert_eq!(pool.counts().waiting, 0);
    drop(slot);
}
