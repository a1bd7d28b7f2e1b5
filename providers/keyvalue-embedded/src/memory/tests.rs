use std::sync::atomic::{AtomicU64, Ordering};

use trellis_capabilities_keyvalue::{
    AddRequest, DelRequest, ListItemDeleteRequest, Provider, PushRequest, SetAddRequest,
    SetRequest, SetUnionRequest,
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
    let memory = Memory::new("", Arc::clone(&clock) as Arc<dyn Clock>, 64 << 20, Bounds::default());
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
    assert!(memory.kept.shards.iter().all(|shard| shard.lock().expiries.is_empty()));
}

#[tokio::test]
async fn a_key_set_again_and_again_leaves_no_expiry_behind() {
    let (memory, _clock, space) = store();
    for seconds in 1..1_000 {
        memory.set(&space, set("k", seconds)).await.expect("Set");
    }
    let expiries: usize = memory.kept.shards.iter().map(|shard| shard.lock().expiries.len()).sum();
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

#[tokio::test]
async fn a_full_store_refuses_growth_and_nothing_else() {
    let member = || SetAddRequest { key: "s".to_owned(), value: "m".repeat(100) };
    let text =
        |bytes: usize| SetRequest { key: "k".to_owned(), value: "v".repeat(bytes), expires: 0 };
    let push = || PushRequest { key: "l".to_owned(), value: "i".to_owned() };
    let bytes_max = 1_000;
    let clock = Arc::new(Moment::default());
    let memory = Memory::new("", clock, bytes_max, Bounds::default());
    let space = Namespaces::default().named("test");
    memory.set_add(&space, member()).await.expect("SetAdd");
    memory.push(&space, push()).await.expect("Push");
    memory.set(&space, text(1)).await.expect("Set");
    let most = usize::try_from(bytes_max - memory.bytes()).expect("it is small") + 1;
    memory.set(&space, text(most)).await.expect("Set to the last byte");
    assert_eq!(memory.bytes(), bytes_max);
    let full = |error: CallError| error.message().contains("MEMORY_MAX");
    assert!(memory.set(&space, text(most + 1)).await.is_err_and(full));
    assert!(memory.push(&space, push()).await.is_err_and(full));
    let other = SetAddRequest { value: "o".to_owned(), ..member() };
    assert!(memory.set_add(&space, other).await.is_err_and(full));
    assert_eq!(memory.bytes(), bytes_max, "what was refused changed nothing");
    memory.set_add(&space, member()).await.expect("a member that is there needs no room");
    memory.set(&space, text(most)).await.expect("as long as before");
    memory.set(&space, text(most - 33)).await.expect("shorter");
    memory.push(&space, push()).await.expect("which makes room for an item, and no key");
    assert_eq!(memory.bytes(), bytes_max);
}

/// Counts what every turn of a union over a set of `members` is told while the set changes in each.
async fn union_while_it_changes(members: usize) -> (Result<usize, CallError>, usize) {
    let (memory, _clock, space) = store();
    let add = |value: String| SetAddRequest { key: "s".to_owned(), value };
    for number in 0..members {
        memory.set_add(&space, add(format!("{number:06}"))).await.expect("SetAdd");
    }
    let keys = vec!["s".to_owned(), "none".to_owned()];
    let mut union = Box::pin(memory.set_union(&space, SetUnionRequest { keys }));
    for turn in 0.. {
        if let std::task::Poll::Ready(answer) = futures_util::poll!(&mut union) {
            return (answer.map(|items| items.values.len()), turn);
        }
        memory.set_add(&space, add(format!("new {turn}"))).await.expect("SetAdd");
    }
    unreachable!("a union ends")
}

#[tokio::test]
async fn what_changes_all_the_time_is_read_in_larger_pieces_or_refused() {
    let (answer, turns) = union_while_it_changes(20_000).await;
    assert!(answer.is_ok_and(|members| members == 20_000 + turns));
    let (answer, turns) = union_while_it_changes(collection::PIECE_MAX + 1).await;
    let refused = answer.expect_err("it is longer than any piece");
    assert_eq!(refused.code(), trellis_core::Code::Busy, "{refused}");
    assert!(refused.message().contains("try again"), "{refused}");
    assert_eq!(turns, 4, "one piece of each attempt, and each in a turn of its own");
}
