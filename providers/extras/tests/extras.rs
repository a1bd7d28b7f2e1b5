//! The contract's behavior, through the bytes an actor would send.

use std::collections::BTreeSet;
use std::time::Duration;

use trellis_capabilities_extras::{
    CONTRACT, GeneratorRequest, GeneratorResult, RequestGuid, RequestRandom, RequestSequence,
};
use trellis_core::{ActorKey, BindingName, CallError, Code, OperationSpec, Trace};
use trellis_providers_extras::Extras;
use trellis_providers_sdk::{Binding, BindingId, Call, Provider, Values};

#[tokio::test]
async fn guids_are_random_uuids_of_version_4() {
    let extras = bound(&[1]).await;
    let mut seen = BTreeSet::new();
    for _ in 0..100 {
        let guid = ask::<RequestGuid>(&extras, 1, 0, 0).await.expect("no limits").guid;
        let guid = guid.expect("RequestGuid answers a guid");
        let parsed = uuid::Uuid::parse_str(&guid).expect("a UUID");
        assert_eq!((parsed.get_version_num(), parsed.to_string()), (4, guid.clone()));
        assert!(seen.insert(guid), "every GUID is another");
    }
}

#[tokio::test]
async fn a_sequence_counts_from_1_for_each_binding() {
    let extras = bound(&[1, 2]).await;
    for expected in 1..=5 {
        assert_eq!(sequence(&extras, 1).await, Ok(expected));
    }
    assert_eq!(sequence(&extras, 2).await, Ok(1));
    extras.bind(binding(1)).await.expect("binding again is no error");
    assert_eq!(sequence(&extras, 1).await, Ok(6), "binding again does not begin anew");
    extras.unbind(BindingId(1)).await;
    let error = sequence(&extras, 1).await.expect_err("no longer bound");
    assert_eq!(error.code(), Code::NotFound);
}

#[tokio::test]
async fn a_random_number_lies_in_its_range_and_reaches_all_of_it() {
    let extras = bound(&[1]).await;
    let mut seen = BTreeSet::new();
    for _ in 0..500 {
        let answer = ask::<RequestRandom>(&extras, 1, 10, 15).await.expect("10 is below 15");
        seen.insert(answer.random_number);
    }
    assert_eq!(seen, (10..15).collect());
    let edge = ask::<RequestRandom>(&extras, 1, u32::MAX - 1, u32::MAX).await;
    assert_eq!(edge.expect("one number wide").random_number, u32::MAX - 1);
    for (min, max) in [(5, 5), (6, 5), (0, 0), (u32::MAX, 0)] {
        let error = ask::<RequestRandom>(&extras, 1, min, max).await.expect_err("an empty range");
        assert_eq!(error.code(), Code::Message, "{error}");
    }
}

async fn bound(ids: &[u64]) -> Extras {
    let extras = Extras::default();
    for id in ids {
        extras.bind(binding(*id)).await.expect("there is nothing to configure");
    }
    extras
}

fn binding(id: u64) -> Binding {
    Binding {
        id: BindingId(id),
        actor: ActorKey::new("MTEST"),
        actor_name: "test".to_owned(),
        contract: CONTRACT.id,
        name: BindingName::default(),
        values: Values::default(),
    }
}

async fn sequence(extras: &Extras, id: u64) -> Result<u64, CallError> {
    ask::<RequestSequence>(extras, id, 0, 0).await.map(|answer| answer.sequence_number)
}

async fn ask<O>(extras: &Extras, id: u64, min: u32, max: u32) -> Result<GeneratorResult, CallError>
where
    O: OperationSpec<Input = GeneratorRequest, Output = GeneratorResult>,
{
    let request = GeneratorRequest { min, max, ..GeneratorRequest::default() };
    let call = Call {
        binding: BindingId(id),
        operation: O::NAME.into(),
        payload: O::encode_input(&request).into(),
        remaining: Duration::ZERO,
        trace: Trace::default(),
    };
    O::decode_output(&extras.call(call).await?)
}
