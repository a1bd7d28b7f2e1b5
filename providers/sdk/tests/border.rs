//! Whatever crosses the border survives a process border: it can be written and read again.

use std::fmt::Debug;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use trellis_core::{ActorKey, BindingId, BindingName, CallError, Code, ContractId, Trace};
use trellis_providers_sdk::{
    Binding, Call, Finding, Health, Invoke, Listening, Newcomer, Place, ValueError, ValueProblem,
    Values, Wanted, WantedBinding,
};

/// By the names of the fields, as between versions of a protocol.
fn crosses<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let written = rmp_serde::to_vec_named(value).expect("it can be written");
    let read: T = rmp_serde::from_slice(&written).expect("it can be read");
    assert_eq!(&read, value);
}

fn values() -> Values {
    let pairs = [("URL", "redis://a"), ("SHARED", "true")];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn binding() -> Binding {
    Binding {
        id: BindingId(7),
        actor: ActorKey::new("MACTOR"),
        actor_name: "counter".to_owned(),
        contract: ContractId::new("wascc:keyvalue"),
        name: BindingName::new("cache"),
        payload_bytes_max: 1 << 20,
        values: values(),
    }
}

#[test]
fn what_a_provider_is_told() {
    crosses(&binding());
    crosses(&Newcomer { binding: binding(), replaces: Some(BindingId(6)) });
    crosses(&Call {
        binding: BindingId(7),
        operation: "Get".into(),
        payload: Bytes::from_static(b"\x81\xa3key\xa1a"),
        remaining: Duration::from_millis(1500),
        trace: Trace::new([1, 2], 3),
        depth: 2,
    });
    let bound = WantedBinding {
        actor: "counter".to_owned(),
        contract: ContractId::new("wascc:keyvalue"),
        name: BindingName::new("default"),
        values: values(),
    };
    let wanted = Wanted {
        provider: "store".to_owned(),
        values: values(),
        bindings: vec![bound],
        host_addresses: vec![([127, 0, 0, 1], 9100).into()],
        beside: Vec::new(),
    };
    crosses(&Wanted { beside: vec![wanted.clone()], ..wanted });
}

#[test]
fn what_a_provider_says() {
    crosses(&Invoke {
        binding: BindingId(7),
        operation: "HandleRequest".into(),
        payload: Bytes::from_static(b"\x80"),
        patience: Some(Duration::from_secs(2)),
        trace: Some(Trace::new([1, 2], 3)),
    });
    crosses(&vec![Health::Healthy, Health::Degraded("its server is down".to_owned())]);
    crosses(&Listening {
        binding: BindingId(7),
        address: ([127, 0, 0, 1], 8081).into(),
        url: "http://127.0.0.1:8081/api".to_owned(),
    });
    let error = ValueError::new("PATH", "it is a folder");
    let about = ValueProblem { place: Place::Binding(3), error };
    crosses(&Finding { about, hinders: true });
    crosses(&CallError::new(Code::Storage, "the disk is full"));
}
