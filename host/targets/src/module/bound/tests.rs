use std::time::Duration;

use trellis_core::{ActorKey, BindingName, ContractId};
use trellis_providers_sdk::{BoxFuture, Invoke, Invoker, Reply, Values};

use super::*;
use crate::module::bound::Occasion::{Aside, BeforeCall};

/// Counts how often the host is to ask how the provider is.
#[derive(Default)]
struct Stirred(AtomicU64);

impl Invoker for Stirred {
    fn invoke(&self, _: Invoke) -> BoxFuture<'_, Reply> {
        Box::pin(async { Ok(Bytes::new()) })
    }

    fn health_changed(&self) {
        // Relaxed: one thread counts.
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn binding(id: u64) -> Binding {
    Binding {
        id: BindingId(id),
        actor: ActorKey::new("M"),
        actor_name: "places".to_owned(),
        contract: ContractId::new("demo:geo"),
        name: BindingName::default(),
        payload_bytes_max: 1,
        values: Values::default(),
    }
}

/// Two bindings that an instance took, as it was told of them.
fn take_both(bound: &Bound) -> Vec<Notice> {
    let mut known = Known::new();
    for id in [1, 2] {
        bound.put(binding(id)).expect("texts");
        let notice = bound.next(&known, Aside).expect("it is new");
        assert!(bound.told(&notice, Ok(())));
        known.insert(notice.topic, notice);
    }
    known.into_values().collect()
}

#[test]
fn what_a_later_instance_refuses_is_out_until_it_is_bound_anew() {
    let stirred = Arc::new(Stirred::default());
    let context = Context::new(Arc::clone(&stirred) as Arc<_>);
    let bound = Bound::new(context, Unhandled::default(), 6);
    let mut known = Known::new();
    for id in [1, 2] {
        bound.put(binding(id)).expect("texts");
        assert!(bound.next(&known, BeforeCall).is_none(), "no call waits for what may be refused");
        let notice = bound.next(&known, Aside).expect("it is new");
        assert!(bound.told(&notice, Ok(())));
        known.insert(notice.topic, notice);
    }
    assert!(bound.next(&known, BeforeCall).is_none(), "it knows all");
    // Another instance knows nothing yet.
    let known = Known::new();
    let notice = bound.next(&known, BeforeCall).expect("it is told of all");
    assert_eq!((notice.topic, &*notice.operation), (topic(BindingId(1)), BIND));
    let refusal = CallError::new(Code::Guest, "no more");
    assert!(!bound.told(&notice, Err(refusal.clone())));
    assert_eq!(bound.next(&known, BeforeCall).expect("the other one").topic, topic(BindingId(2)));
    assert_eq!(bound.get(BindingId(1)).expect_err("it is out").code(), Code::Provider);
    assert!(bound.get(BindingId(2)).is_ok());
    let told = bound.ailments().expect("it says so");
    assert!(told.contains("it refuses places to demo:geo as default: no more"), "{told}");
    assert_eq!(stirred.0.load(Ordering::Relaxed), 1);
    // A notice of before says nothing of what is bound since.
    bound.put(binding(1)).expect("texts");
    assert!(!bound.told(&notice, Err(refusal)));
    assert!(bound.get(BindingId(1)).is_ok() && bound.ailments().is_none());
}

#[test]
fn one_that_was_never_taken_is_not_told_again_when_an_instance_hangs_over_it() {
    let bound = Bound::new(Context::new(Arc::new(Stirred::default())), Unhandled::default(), 6);
    bound.put(binding(1)).expect("texts");
    let notice = bound.next(&Known::new(), Aside).expect("it is new");
    bound.told(&notice, Err(CallError::new(Code::Timeout, "late")));
    assert!(bound.verdict(BindingId(1)).is_some_and(|verdict| verdict.is_err()));
    assert!(bound.next(&Known::new(), Aside).is_none(), "no other instance hangs over it");
    bound.remove(BindingId(1));
    let known = Known::from([(notice.topic, Notice { edition: Some(1), ..notice })]);
    let farewell = bound.next(&known, BeforeCall);
    assert_eq!(&*farewell.expect("it knew of it").operation, REMOVE);
}

#[tokio::test(start_paused = true)]
async fn what_a_later_instance_hangs_over_is_told_again_aside_and_with_pauses() {
    let stirred = Arc::new(Stirred::default());
    let context = Context::new(Arc::clone(&stirred) as Arc<_>);
    let bound = Bound::new(context, Unhandled::default(), 6);
    let late = || Err(CallError::new(Code::Timeout, "late"));
    take_both(&bound);
    let notice = bound.next(&Known::new(), BeforeCall).expect("a new instance is told of all");
    assert!(!bound.told(&notice, late()));
    let next = bound.next(&Known::new(), BeforeCall).expect("the other one");
    assert_eq!(next.topic, topic(BindingId(2)), "no call waits for it any more");
    assert_eq!(bound.get(BindingId(1)).expect_err("it is out").code(), Code::Provider);
    let why = bound.ailments().expect("it says so");
    assert!(why.contains("it could not be told of places to demo:geo as default"), "{why}");
    assert!(why.contains("E_TIMEOUT"), "{why}");
    assert_eq!(bound.due().await, [BindingId(1)], "at once: that call may have had no time");

    let known = Known::from([(notice.topic, notice)]);
    let again = bound.next(&known, Aside).expect("also one that knew it");
    assert!(!bound.told(&again, late()));
    let soon = Duration::from_millis(700);
    let due = tokio::time::timeout(soon, bound.due()).await;
    assert!(due.is_err(), "there is a pause");
    assert_eq!(stirred.0.load(Ordering::Relaxed), 1, "it is as ill as before");
}

#[test]
fn once_it_is_told_it_is_served_and_all_instances_are_told() {
    let stirred = Arc::new(Stirred::default());
    let context = Context::new(Arc::clone(&stirred) as Arc<_>);
    let bound = Bound::new(context, Unhandled::default(), 6);
    bound.put(binding(1)).expect("texts");
    let notice = bound.next(&Known::new(), Aside).expect("it is new");
    bound.told(&notice, Ok(()));
    bound.told(&notice, Err(CallError::new(Code::Trap, "it broke")));
    let edition = bound.edition();
    let again = bound.next(&Known::new(), Aside).expect("it is due");
    assert!(bound.told(&again, Ok(())));
    assert_ne!(bound.edition(), edition, "the others look again");
    assert!(bound.get(BindingId(1)).is_ok() && bound.ailments().is_none());
    assert!(bound.next(&Known::new(), BeforeCall).is_some());
    assert_eq!(stirred.0.load(Ordering::Relaxed), 2, "the host asks how it is, both times");
}

#[test]
fn what_nobody_could_be_told_is_put_off() {
    let bound = Bound::new(Context::new(Arc::new(Stirred::default())), Unhandled::default(), 6);
    for notice in take_both(&bound) {
        bound.told(&notice, Err(CallError::new(Code::Trap, "it broke")));
    }
    let (all, busy) = ([BindingId(1), BindingId(2)], CallError::new(Code::Busy, "none is free"));
    let again = bound.next(&Known::new(), Aside).expect("it is due");
    bound.told(&again, Ok(()));
    bound.put_off_all_of(&all, Some(busy.clone()));
    assert!(
        bound.next(&Known::new(), Aside).is_some_and(|it| it.topic == topic(BindingId(1))),
        "it is served"
    );
    let rest = Known::from([(again.topic, again)]);
    assert!(bound.next(&rest, Aside).is_some(), "one was told: the other one has its turn now");
    bound.put_off_all_of(&all[1..], Some(busy));
    assert!(bound.next(&rest, Aside).is_none(), "later");
    assert!(bound.ailments().is_some_and(|why| why.contains("none is free")));
}
