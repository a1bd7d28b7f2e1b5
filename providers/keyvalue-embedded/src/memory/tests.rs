use std::sync::atomic::{AtomicU64, Ordering};

use trellis_capabilities_keyvalue::{
    AddRequest, DelRequest, ListItemDeleteRequest, Provider, PushRequest, SetAddRequest, SetRequest,
};

use super::*;
use crate::namespace::{Namespace, Namespaces};

#[derive(Default)]
struct Moment(AtomicU64);

impl Clock for Moment {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

fn store() -> (Memory, Arc<Moment>, Namespace) {
    let clock = Arc::new(Moment::default());
    let memory = Memory::new(Arc::clone(&clock) as Arc<dyn Clock>, 64 << 20, Bounds::default());
    (memory, clock, Namespaces::default().named("test"))
}

fn set(key: &str, expires: i32) -> SetRequest {
    SetRequest { key: key.to_owned(), value: "value".to_owned(), expires }
}

#[tokio::test]
async fn the_sweep_removes_what_nobody_asks_for() {
    let (memory, clock, space) = store();
    for number in 0..10_000 {
        memory.set(&space, set(&number.to_string(), 1 + number % 2)).await.expect("Set");
    }
    memory.set(&space, set("stays", 0)).await.expect("Set");
    let full = memory.bytes();
    memory.sweep();
    assert_eq!(memory.bytes(), full, "nothing is due");
    clock.0.store(1_000, Ordering::SeqCst);
    memory.sweep();
    let half = memory.bytes();
    assert!(half < full * 6 / 10 && half > full * 4 / 10, "{half} of {full}");
    clock.0.store(2_000, Ordering::SeqCst);
    memory.sweep();
    memory.set(&space, set("stays", 0)).await.expect("Set");
    let alone = memory.bytes();
    memory.del(&space, DelRequest { key: "stays".to_owned() }).await.expect("Del");
    assert!(alone > 0 && memory.bytes() == 0, "only the last key was left");
    assert!(memory.shards.iter().all(|shard| shard.lock().expiries.is_empty()));
}

#[tokio::test]
async fn a_key_set_again_and_again_leaves_no_expiry_behind() {
    let (memory, _clock, space) = store();
    for seconds in 1..1_000 {
        memory.set(&space, set("k", seconds)).await.expect("Set");
    }
    let expiries: usize = memory.shards.iter().map(|shard| shard.lock().expiries.len()).sum();
    assert_eq!(expiries, 1);
}

#[tokio::test]
async fn every_byte_charged_is_given_back() {
    let (memory, _clock, space) = store();
    let (key, text) = ("k".to_owned(), |text: &str| text.to_owned());
    for value in ["a", "b", "a"] {
        let push = PushRequest { key: key.clone(), value: text(value) };
        memory.push(&space, push).await.expect("Push");
    }
    for value in ["a", "b"] {
        let delete = ListItemDeleteRequest { key: key.clone(), value: text(value) };
        memory.list_item_delete(&space, delete).await.expect("ListItemDelete");
    }
    assert_eq!(memory.bytes(), 0, "the list is gone");
    for value in ["a", "b", "a"] {
        let add = SetAddRequest { key: key.clone(), value: text(value) };
        memory.set_add(&space, add).await.expect("SetAdd");
    }
    memory.set(&space, set("k", 5)).await.expect("Set");
    memory.add(&space, AddRequest { key: text("n"), value: 1 }).await.expect("Add");
    memory.del(&space, DelRequest { key: text("n") }).await.expect("Del");
    memory.del(&space, DelRequest { key }).await.expect("Del");
    assert_eq!(memory.bytes(), 0);
}
