//! A client that writes and reads the wire form by itself, independent of the generated types.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use trellis_capabilities::keyvalue::CONTRACT;
use trellis_core::{CallError, OperationSpec, wire};
use trellis_providers_sdk::{Provider, Values};

use crate::suite::Caller;

type Answer<T> = Result<T, CallError>;

/// One binding to the provider under test, with a method for each operation.
#[derive(Clone)]
pub struct Store(Caller);

#[derive(Serialize)]
struct Key<'a> {
    key: &'a str,
}

#[derive(Serialize)]
struct KeyAndValue<'a, V> {
    key: &'a str,
    value: V,
}

#[derive(Serialize)]
struct SetRequest<'a> {
    key: &'a str,
    value: &'a str,
    expires: i32,
}

#[derive(Serialize)]
struct RangeRequest<'a> {
    key: &'a str,
    start: i32,
    stop: i32,
}

#[derive(Serialize)]
struct Keys<'a> {
    keys: &'a [&'a str],
}

#[derive(Deserialize)]
struct Value<V> {
    value: V,
}

#[derive(Deserialize)]
struct Lookup {
    value: String,
    exists: bool,
}

#[derive(Deserialize)]
struct Removed {
    key: String,
}

#[derive(Deserialize)]
struct Items {
    values: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Count {
    new_count: i32,
}

#[allow(clippy::missing_errors_doc, reason = "every method answers as its operation does")]
impl Store {
    /// A new binding of `actor` to a provider, with these values.
    pub async fn bind(provider: &Arc<dyn Provider>, actor: &str, values: Values) -> Answer<Self> {
        Caller::bind_as(actor, provider, &CONTRACT, values).await.map(Self)
    }

    /// `Add`.
    pub async fn add(&self, key: &str, value: i32) -> Answer<i32> {
        self.ask("Add", &KeyAndValue { key, value }).await.map(|reply: Value<i32>| reply.value)
    }

    /// `Get`; `None` when the reply says that the key does not exist.
    pub async fn get(&self, key: &str) -> Answer<Option<String>> {
        let reply: Lookup = self.ask("Get", &Key { key }).await?;
        assert!(reply.exists || reply.value.is_empty(), "a missing key has an empty value");
        Ok(reply.exists.then_some(reply.value))
    }

    /// `Set`, for ever.
    pub async fn set(&self, key: &str, value: &str) -> Answer<()> {
        self.set_expiring(key, value, 0).await
    }

    /// `Set` with a time to live in seconds.
    pub async fn set_expiring(&self, key: &str, value: &str, expires: i32) -> Answer<()> {
        let reply: Value<String> = self.ask("Set", &SetRequest { key, value, expires }).await?;
        assert_eq!(reply.value, value, "Set answers the value as given");
        Ok(())
    }

    /// `Del`.
    pub async fn del(&self, key: &str) -> Answer<()> {
        let reply: Removed = self.ask("Del", &Key { key }).await?;
        assert_eq!(reply.key, key, "Del answers the key as given");
        Ok(())
    }

    /// `Clear`.
    pub async fn clear(&self, key: &str) -> Answer<()> {
        let reply: Removed = self.ask("Clear", &Key { key }).await?;
        assert_eq!(reply.key, key, "Clear answers the key as given");
        Ok(())
    }

    /// `Range`.
    pub async fn range(&self, key: &str, start: i32, stop: i32) -> Answer<Vec<String>> {
        self.ask("Range", &RangeRequest { key, start, stop }).await.map(|r: Items| r.values)
    }

    /// `Push`.
    pub async fn push(&self, key: &str, value: &str) -> Answer<i32> {
        self.count("Push", key, value).await
    }

    /// `ListItemDelete`.
    pub async fn list_item_delete(&self, key: &str, value: &str) -> Answer<i32> {
        self.count("ListItemDelete", key, value).await
    }

    /// `SetAdd`.
    pub async fn set_add(&self, key: &str, value: &str) -> Answer<i32> {
        self.count("SetAdd", key, value).await
    }

    /// `SetRemove`.
    pub async fn set_remove(&self, key: &str, value: &str) -> Answer<i32> {
        self.count("SetRemove", key, value).await
    }

    /// `SetUnion`.
    pub async fn set_union(&self, keys: &[&str]) -> Answer<Vec<String>> {
        self.ask("SetUnion", &Keys { keys }).await.map(|reply: Items| reply.values)
    }

    /// `SetIntersection`.
    pub async fn set_intersection(&self, keys: &[&str]) -> Answer<Vec<String>> {
        self.ask("SetIntersection", &Keys { keys }).await.map(|reply: Items| reply.values)
    }

    /// `SetQuery`.
    pub async fn set_query(&self, key: &str) -> Answer<Vec<String>> {
        self.ask("SetQuery", &Key { key }).await.map(|reply: Items| reply.values)
    }

    /// `KeyExists`.
    pub async fn key_exists(&self, key: &str) -> Answer<bool> {
        let reply: Lookup = self.ask("KeyExists", &Key { key }).await?;
        assert_eq!(reply.value, "", "KeyExists answers no value");
        Ok(reply.exists)
    }

    /// Ends the binding.
    pub async fn unbind(&self) {
        self.0.unbind().await;
    }

    /// Any operation with any bytes.
    pub async fn raw(&self, operation: &str, payload: impl Into<Bytes>) -> Answer<Bytes> {
        self.0.raw(operation, payload).await
    }

    /// What the host alone asks of it.
    pub async fn data<O: OperationSpec>(&self, request: &O::Input) -> Answer<O::Output> {
        self.0.ask::<O>(request).await
    }

    async fn count(&self, operation: &str, key: &str, value: &str) -> Answer<i32> {
        self.ask(operation, &KeyAndValue { key, value }).await.map(|reply: Count| reply.new_count)
    }

    async fn ask<R: DeserializeOwned>(&self, operation: &str, m: &impl Serialize) -> Answer<R> {
        let payload = wire::encode(m).expect("the suite's requests can be encoded");
        let reply = self.raw(operation, payload).await?;
        Ok(wire::decode(&reply).expect("the reply has the form the contract gives it"))
    }
}
