//! What `contract!` generates from a WIT file that uses every form.

use std::fmt::Debug;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use trellis_core::generated::serde::{Serialize, de::DeserializeOwned};
use trellis_core::guest::Transport;
use trellis_core::wire::{self, Blob, Decode, Encode};
use trellis_core::{CallError, Code, Direction, OperationSpec};

#[allow(missing_docs)]
mod every {
    trellis_macros::contract! { "tests/wit/everything.wit", aliases: ["test:alias"] }
}

use every::{Attempt, AttemptText, CONTRACT, Choice, Client, Failure, Kind, Tell, Turn, Wide};

fn wide() -> Wide {
    Wide {
        r#type: "t".to_owned(),
        amount: 7,
        kind: Kind::TwoWords,
        choice: Choice::ANumber(-5),
        small_blob: Some(Blob::from("b")),
        grid: vec![vec![0.5], vec![]],
        entries: [("a", -300_i16), ("a", 1)].into_iter().collect(),
        position: true,
        input: None,
        fields: 1.5,
    }
}

/// Answers every call with the `Service` below, as a host would.
struct Loopback;

impl Transport for Loopback {
    fn call(&self, binding: &str, id: &str, name: &str, payload: &[u8]) -> Result<Vec<u8>, String> {
        assert_eq!((binding, id), ("second", "test:every_thing"));
        let caller = Mutex::new(0);
        let serving = pin!(every::serve(&Service, &caller, name, payload));
        match serving.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(reply) => reply.map(Vec::from).map_err(|error| error.to_string()),
            Poll::Pending => unreachable!("the service waits for nothing"),
        }
    }
}

struct Service;

impl every::Provider for Service {
    type Caller = Mutex<u32>;

    async fn touch(&self, caller: &Self::Caller) -> Result<(), CallError> {
        *caller.lock().expect("not poisoned") += 1;
        Ok(())
    }

    async fn turn(&self, _: &Self::Caller, request: Wide) -> Result<Wide, CallError> {
        Ok(Wide { amount: request.amount + 1, ..request })
    }

    async fn mix(
        &self,
        _: &Self::Caller,
        request: every::MixRequest,
    ) -> Result<Vec<String>, CallError> {
        Ok(vec![format!("{request:?}")])
    }

    async fn attempt(
        &self,
        _: &Self::Caller,
        request: every::AttemptRequest,
    ) -> Result<u64, CallError> {
        match &*request.name {
            "none" => Err(Failure::NotThere.into()),
            "many" => Err(Failure::OverLimit("names: at most 3".to_owned()).into()),
            name => Ok(name.len() as u64),
        }
    }

    async fn attempt_text(&self, _: &Self::Caller) -> Result<(), CallError> {
        Err(CallError::new(Code::Provider, "no"))
    }
}

fn client() -> Client<Loopback> {
    Client::new(Loopback).binding("second")
}

#[test]
fn the_table_has_ids_names_directions_and_docs() {
    let contract = CONTRACT;
    assert_eq!(contract.id.as_str(), "test:every_thing");
    assert!(contract.answers_to("test:alias"));
    let names: Vec<_> = contract.operations.iter().map(|operation| &*operation.name).collect();
    assert_eq!(names, ["Touch", "Turn", "Mix", "Attempt", "AttemptText", "Tell"]);
    let touch = contract.operation("Touch").expect("an operation");
    assert_eq!((touch.direction, &*touch.doc), (Direction::ToProvider, "Nothing in, nothing out."));
    assert_eq!(contract.operation("Tell").map(|op| op.direction), Some(Direction::ToActor));
    assert_eq!((Tell::NAME, Tell::CONTRACT.id.as_str()), ("Tell", "test:every_thing"));
}

#[test]
fn every_form_reaches_the_provider_and_returns() {
    client().touch().expect("touches");
    let turned = client().turn(&wide()).expect("turns");
    assert_eq!(turned, Wide { amount: 8, ..wide() });
    let mixed = client()
        .mix("o", b"d", &["n"], &Kind::Plain, Some(&Choice::Nothing), None, Some("r"), &[1, 2])
        .expect("mixes");
    assert_eq!(
        mixed[0],
        "MixRequest { out: \"o\", data: Blob(1 bytes), names: [\"n\"], kind: Plain, \
         choice: Some(Nothing), maybe_data: None, reply: Some(\"r\"), numbers: [1, 2] }"
    );
}

#[test]
fn an_operation_without_a_message_has_no_bytes() {
    assert!(<AttemptText as OperationSpec>::encode_output(&()).is_empty());
    assert!(<AttemptText as OperationSpec>::decode_output(b"\xc0junk").is_ok());
}

#[test]
fn errors_keep_their_kind() {
    assert_eq!(client().attempt("abc").expect("counts"), 3);
    let error = client().attempt("none").expect_err("fails");
    assert_eq!(Failure::of(&error), Some(Failure::NotThere));
    let error = client().attempt("many").expect_err("fails");
    assert_eq!(error.to_string(), "E_PROVIDER: over-limit: names: at most 3");
    assert_eq!(Failure::of(&error), Some(Failure::OverLimit("names: at most 3".to_owned())));
    assert_eq!(Failure::of(&client().attempt_text().expect_err("fails")), None);
    assert_eq!(Attempt::NAME, "Attempt");
}

#[test]
fn unknown_operations_are_refused_by_name() {
    let error = Loopback.call("second", "test:every_thing", "Nope", b"").expect_err("unknown");
    assert_eq!(error, "E_NOT_FOUND: test:every_thing has no operation `Nope`");
}

#[test]
fn what_is_wrong_is_named() {
    let wrong = |payload: &[u8]| Turn::decode_input(payload).expect_err("malformed").to_string();
    assert_eq!(
        wrong(b"\x81\xa6amount\xa1x"),
        "E_MESSAGE: the message cannot be decoded: expected a whole number in field `amount`"
    );
    assert!(wrong(b"\x80").ends_with("expected a value in field `type`"));
    assert!(wrong(b"\x01").ends_with("expected a map"));
    assert!(wrong(b"").ends_with("the message ends early"));
    let far = b"\x81\xa6amount\xcf\xff\xff\xff\xff\xff\xff\xff\xff";
    assert!(wrong(far).ends_with("expected a number of type u32 in field `amount`"));
}

#[test]
fn cases_are_read_in_every_form() {
    fn both<T>(bytes: &[u8], value: &T)
    where
        T: Decode + Encode + Serialize + DeserializeOwned + PartialEq + Debug,
    {
        assert_eq!(&wire::from_bytes::<T>(bytes).expect("reads"), value);
        assert_eq!(&wire::decode::<T>(bytes).expect("reads by serde"), value);
        assert_eq!(wire::to_bytes(value), wire::encode(value).expect("writes"));
    }
    for form in [&b"\xa8twoWords"[..], b"\xa9two_words", b"\x81\x01\xc0", b"\x81\xa8twoWords\xc0"] {
        both(form, &Kind::TwoWords);
    }
    both(b"\x81\xa7aNumber\xfb", &Choice::ANumber(-5));
    both(b"\x81\x01\xfb", &Choice::ANumber(-5));
    both(b"\x81\xa3raw\xc4\x01x", &Choice::Raw(Blob::from("x")));
    both(b"\xa7nothing", &Choice::Nothing);
    for wrong in [&b"\xa5other"[..], b"\x82", b"\xa3raw", b"\x81\x07\xc0", b"\xc0", b""] {
        assert!(wire::from_bytes::<Choice>(wrong).is_err(), "{wrong:02x?}");
    }
}

#[test]
fn generated_code_and_serde_agree() {
    let bytes = wire::to_bytes(&wide());
    assert_eq!(bytes, wire::encode(&wide()).expect("writes"));
    assert_eq!(wire::from_bytes::<Wide>(&bytes).expect("reads"), wide());
    assert_eq!(wire::decode::<Wide>(&bytes).expect("reads"), wide());
}
