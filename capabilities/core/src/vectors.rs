//! Golden vectors: the exact bytes of a contract's messages, and the other forms that are read.
//!
//! A contract crate keeps them in `vectors/*.json`, so clients in other languages are checked
//! against the same bytes. Its test checks them all: `Suite::read(..).check(visit_operations)`.

use std::fmt::Debug;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::contract::{OperationSpec, OperationVisitor};
use crate::wire::{self, Decode, Encode};

/// The vectors of one contract.
#[derive(Deserialize, Debug)]
pub struct Suite {
    /// The contract's id.
    pub contract: String,
    vectors: Vec<Vector>,
}

/// One message.
#[derive(Deserialize, Debug)]
struct Vector {
    operation: String,
    side: Side,
    /// The message as JSON; `list<u8>` as a string, `list<tuple<string, T>>` as a list of pairs.
    message: serde_json::Value,
    /// Its exact encoding.
    hex: String,
    /// Other encodings that are decoded to the same message.
    #[serde(default)]
    tolerated: Vec<Tolerated>,
}

#[derive(Deserialize, Debug, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Side {
    Request,
    Reply,
}

#[derive(Deserialize, Debug)]
struct Tolerated {
    form: String,
    hex: String,
}

impl Suite {
    /// Reads a file of vectors.
    ///
    /// # Panics
    /// When it is malformed; this runs in tests only.
    #[must_use]
    pub fn read(text: &str) -> Self {
        serde_json::from_str(text).expect("a file of vectors is JSON of the documented form")
    }

    /// Checks every vector of every operation in both directions. `visit` is the contract's
    /// `visit_operations`.
    ///
    /// # Panics
    /// When a message is not encoded as its bytes or not decoded from one of its forms, when an
    /// operation has no vector for its request or its reply, or when a vector's operation does not
    /// exist.
    pub fn check(mut self, visit: fn(&mut Self)) {
        visit(&mut self);
        let left: Vec<_> = self.vectors.iter().map(|vector| &vector.operation).collect();
        assert!(left.is_empty(), "there are vectors of unknown operations: {left:?}");
    }
}

impl OperationVisitor for Suite {
    fn visit<O: OperationSpec>(&mut self) {
        assert!(O::CONTRACT.answers_to(&self.contract), "{} belongs to another contract", O::NAME);
        let mine = |vector: &Vector| vector.operation == O::NAME;
        let vectors: Vec<_> = self.vectors.extract_if(.., |vector| mine(vector)).collect();
        for side in [Side::Request, Side::Reply] {
            assert!(vectors.iter().any(|vector| vector.side == side), "{}: no {side:?}", O::NAME);
        }
        for vector in vectors {
            match vector.side {
                Side::Request => vector.check::<O::Input>(),
                Side::Reply => vector.check::<O::Output>(),
            }
        }
    }
}

impl Vector {
    fn check<M>(&self)
    where
        M: Encode + Decode + Serialize + DeserializeOwned + Debug + PartialEq,
    {
        let name = format!("{} {:?}", self.operation, self.side);
        let message = M::deserialize(&self.message).expect("the vector's JSON is the message");
        assert_eq!(to_hex(&wire::to_bytes(&message)), self.hex, "{name}");
        let exact = [("exact", &self.hex)];
        let tolerated = self.tolerated.iter().map(|other| (other.form.as_str(), &other.hex));
        for (form, hex) in exact.into_iter().chain(tolerated) {
            let read = wire::from_bytes::<M>(&from_hex(hex));
            assert_eq!(read.expect(&name), message, "{name}, {form}");
        }
        // serde cannot express a message of no bytes.
        if size_of::<M>() > 0 {
            self.check_serde(&name, &message);
        }
    }

    /// serde must write the same bytes and read every form.
    fn check_serde<M: Serialize + DeserializeOwned + Debug + PartialEq>(&self, name: &str, m: &M) {
        assert_eq!(to_hex(&wire::encode(m).expect(name)), self.hex, "{name}, by serde");
        let tolerated = self.tolerated.iter().map(|other| &other.hex);
        for hex in [&self.hex].into_iter().chain(tolerated) {
            let read = wire::decode::<M>(&from_hex(hex));
            assert_eq!(&read.expect(name), m, "{name}, {hex} by serde");
        }
    }
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| {
            let pair = std::str::from_utf8(pair).expect("hex is ASCII");
            u8::from_str_radix(pair, 16).expect("two hex digits per byte")
        })
        .collect()
}
