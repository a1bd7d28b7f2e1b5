//! The contract, as commands to Redis.

use redis::{Cmd, cmd};
use trellis_capabilities_keyvalue as contract;
use trellis_capabilities_keyvalue::{Counter, Items, ListCount, Lookup, Removed, SetCount, Stored};
use trellis_core::{CallError, Code};

use crate::link::Link;
use crate::scripts;

/// The operations; all they know is in the caller's [`Link`].
pub(crate) struct Commands;

type Answer<T> = Result<T, CallError>;

impl contract::Provider for Commands {
    type Caller = Link;

    async fn add(&self, link: &Link, request: contract::AddRequest) -> Answer<Counter> {
        let by = request.value.to_string();
        let value = link.run(&scripts::ADD, &request.key, &by).await?;
        Ok(Counter { value })
    }

    async fn get(&self, link: &Link, request: contract::GetRequest) -> Answer<Lookup> {
        let value: Option<String> = link.ask(cmd("GET").arg(link.key(&request.key))).await?;
        Ok(Lookup { exists: value.is_some(), value: value.unwrap_or_default() })
    }

    async fn set(&self, link: &Link, request: contract::SetRequest) -> Answer<Stored> {
        let contract::SetRequest { key, value, expires } = request;
        let mut command = cmd("SET");
        command.arg(link.key(&key)).arg(&value);
        match expires {
            0 => {}
            1.. => {
                command.arg("EX").arg(expires);
            }
            _ => return Err(CallError::new(Code::Message, "`expires` must not be negative")),
        }
        link.ask::<()>(&command).await?;
        Ok(Stored { value })
    }

    async fn del(&self, link: &Link, request: contract::DelRequest) -> Answer<Removed> {
        link.ask::<()>(cmd("DEL").arg(link.key(&request.key))).await?;
        Ok(Removed { key: request.key })
    }

    async fn clear(&self, link: &Link, request: contract::ClearRequest) -> Answer<Removed> {
        link.run::<()>(&scripts::CLEAR, &request.key, "").await?;
        Ok(Removed { key: request.key })
    }

    async fn range(&self, link: &Link, request: contract::RangeRequest) -> Answer<Items> {
        let contract::RangeRequest { key, start, stop } = request;
        let values = link.ask(cmd("LRANGE").arg(link.key(&key)).arg(start).arg(stop)).await?;
        Ok(Items { values })
    }

    async fn push(&self, link: &Link, request: contract::PushRequest) -> Answer<ListCount> {
        let elements = link.run(&scripts::PUSH, &request.key, &request.value).await?;
        Ok(ListCount { new_count: elements })
    }

    async fn list_item_delete(
        &self,
        link: &Link,
        request: contract::ListItemDeleteRequest,
    ) -> Answer<ListCount> {
        let new_count = link.run(&scripts::LIST_REMOVE, &request.key, &request.value).await?;
        Ok(ListCount { new_count })
    }

    async fn set_add(&self, link: &Link, request: contract::SetAddRequest) -> Answer<SetCount> {
        let new_count = link.run(&scripts::SET_ADD, &request.key, &request.value).await?;
        Ok(SetCount { new_count })
    }

    async fn set_remove(
        &self,
        link: &Link,
        request: contract::SetRemoveRequest,
    ) -> Answer<SetCount> {
        let new_count = link.run(&scripts::SET_REMOVE, &request.key, &request.value).await?;
        Ok(SetCount { new_count })
    }

    async fn set_union(&self, link: &Link, request: contract::SetUnionRequest) -> Answer<Items> {
        over_sets(link, cmd("SUNION"), &request.keys).await
    }

    async fn set_intersection(
        &self,
        link: &Link,
        request: contract::SetIntersectionRequest,
    ) -> Answer<Items> {
        over_sets(link, cmd("SINTER"), &request.keys).await
    }

    async fn set_query(&self, link: &Link, request: contract::SetQueryRequest) -> Answer<Items> {
        over_sets(link, cmd("SMEMBERS"), &[request.key]).await
    }

    async fn key_exists(&self, link: &Link, request: contract::KeyExistsRequest) -> Answer<Lookup> {
        let exists = link.ask(cmd("EXISTS").arg(link.key(&request.key))).await?;
        Ok(Lookup { value: String::new(), exists })
    }
}

/// The members a command over sets answers, in the order of their bytes; Redis gives them in none.
async fn over_sets(link: &Link, mut command: Cmd, keys: &[String]) -> Answer<Items> {
    // Redis refuses a command over no keys at all.
    if keys.is_empty() {
        return Ok(Items { values: Vec::new() });
    }
    for key in keys {
        command.arg(link.key(key));
    }
    let mut values: Vec<String> = link.ask(&command).await?;
    values.sort_unstable();
    Ok(Items { values })
}
