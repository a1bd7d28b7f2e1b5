//! What stores keep, as the admin API shows it and moves it.

use serde::{Deserialize, Serialize};

use crate::data_bytes::DataBytes;

/// That what a provider keeps is to go along to the one that follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataTerms {
    /// It is copied to one that holds nothing yet; one that does is refused.
    Copy,
    /// What the other one holds is thrown away first.
    Replace,
}

/// What a provider kept went along to the one that followed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Moved {
    /// The name of both.
    pub provider: String,
    /// How many keys.
    pub keys: u64,
    /// Bytes of these and of what they hold.
    pub bytes: u64,
    /// For how long calls waited, in milliseconds.
    pub time_ms: u64,
}

/// What a key of a store holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataKind {
    /// A string; a counter is one.
    Text,
    /// A list, from its head on.
    List,
    /// A set.
    Set,
    /// What a store of keys and values has no word for; it is listed and not shown.
    Other,
}

/// A key of a store, or a part of one that is long.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataPiece {
    /// The key.
    pub key: DataBytes,
    /// What it holds.
    pub kind: DataKind,
    /// When its time is over, in milliseconds since 1970 by the clock of the store; 0 is never.
    /// Only a text has one.
    #[serde(default)]
    pub expires_unix_ms: u64,
    /// How many elements the key has in all; 1 for a text.
    pub count: u64,
    /// How many of them came before these.
    #[serde(default)]
    pub start: u64,
    /// The text, or elements of the list or the set; none when only names were asked for.
    #[serde(default)]
    pub values: Vec<DataBytes>,
}

/// A part of what a binding's actor has in a store.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DataPage {
    /// What is there.
    pub pieces: Vec<DataPiece>,
    /// What to ask for to go on (`from`); `None` at the end.
    pub next: Option<String>,
}

/// What is asked of a store: the body of `POST /v1/data/ACTOR/BINDING/export`.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataQuery {
    /// `next` of the page before; `None` begins.
    #[serde(default)]
    pub from: Option<String>,
    /// Only these keys; without any, all of them.
    #[serde(default)]
    pub keys: Vec<DataBytes>,
    /// Leaves out what they hold.
    #[serde(default)]
    pub names_only: bool,
}

/// What is to be put into a store: the body of `POST /v1/data/ACTOR/BINDING/import`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataImport {
    /// Keys, or parts of them, in the order of an export.
    pub pieces: Vec<DataPiece>,
    /// `next` of the answer before, when the first of them goes on with the last key of those.
    #[serde(default)]
    pub from: Option<String>,
    /// In the place of what the keys hold; otherwise one that is there is refused.
    #[serde(default)]
    pub replace: bool,
}

/// What was put into a store.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DataTaken {
    /// How many keys were begun.
    pub keys: u64,
    /// What to send along (`from`) with the rest of the last key; `None` when all of it is there.
    pub next: Option<String>,
}
