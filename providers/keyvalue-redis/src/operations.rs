//! The contract, as commands to Redis.

use redis::cmd;
use trellis_capabilities_keyvalue as contract;
use trellis_capabilities_keyvalue::{Counter, Items, ListCount, Lookup, Removed, SetCount, Stored};
use trellis_core::{CallError, Code};

use crate::scripts;
use crate::seat::Seat;

/// The operations; all they know is in the caller's [`Seat`].
pub(crate) struct Commands;

type Answer<T> = Result<T, CallError>;

/// A script without arguments of its own.
const NONE: &[&str] = &[];

impl contract::Provider for Commands {
    type Caller = Seat;

    async fn add(&self, seat: &Seat, request: contract::AddRequest) -> Answer<Counter> {
        let by = request.value.to_string();
        let value = seat.run(&scripts::ADD, &[request.key], &[&by]).await?;
        Ok(Counter { value })
    }

    async fn get(&self, seat: &Seat, request: contract::GetRequest) -> Answer<Lookup> {
        let value: Option<String> = seat.run(&scripts::GET, &[request.key], NONE).await?;
        Ok(Lookup { exists: value.is_some(), value: value.unwrap_or_default() })
    }

    async fn set(&self, seat: &Seat, request: contract::SetRequest) -> Answer<Stored> {
        let contract::SetRequest { key, value, expires } = request;
        let mut command = cmd("SET");
        command.arg(seat.key(&key)).arg(&value);
        match expires {
            0 => {}
            1.. => {
                command.arg("EX").arg(expires);
            }
            _ => return Err(CallError::new(Code::Message, "`expires` must not be negative")),
        }
        seat.ask::<()>(&command).await?;
        Ok(Stored { value })
    }

    async fn del(&self, seat: &Seat, request: contract::DelRequest) -> Answer<Removed> {
        // Redis frees what is long beside its work.
        seat.ask::<()>(cmd("UNLINK").arg(seat.key(&request.key))).await?;
        Ok(Removed { key: request.key })
    }

    async fn clear(&self, seat: &Seat, request: contract::ClearRequest) -> Answer<Removed> {
        let keys = [request.key];
        seat.run::<()>(&scripts::CLEAR, &keys, NONE).await?;
        let [key] = keys;
        Ok(Removed { key })
    }

    async fn range(&self, seat: &Seat, request: contract::RangeRequest) -> Answer<Items> {
        let (start, stop) = (request.start.to_string(), request.stop.to_string());
        let values = seat.run(&scripts::RANGE, &[request.key], &[&start, &stop]).await?;
        Ok(Items { values })
    }

    async fn push(&self, seat: &Seat, request: contract::PushRequest) -> Answer<ListCount> {
        let new_count = seat.run(&scripts::PUSH, &[request.key], &[&request.value]).await?;
        Ok(ListCount { new_count })
    }

    async fn list_item_delete(
        &self,
        seat: &Seat,
        request: contract::ListItemDeleteRequest,
    ) -> Answer<ListCount> {
        let new_count = seat.run(&scripts::LIST_REMOVE, &[request.key], &[&request.value]).await?;
        Ok(ListCount { new_count })
    }

    async fn set_add(&self, seat: &Seat, request: contract::SetAddRequest) -> Answer<SetCount> {
        let new_count = seat.run(&scripts::SET_ADD, &[request.key], &[&request.value]).await?;
        Ok(SetCount { new_count })
    }

    async fn set_remove(
        &self,
        seat: &Seat,
        request: contract::SetRemoveRequest,
    ) -> Answer<SetCount> {
        let new_count = seat.run(&scripts::SET_REMOVE, &[request.key], &[&request.value]).await?;
        Ok(SetCount { new_count })
    }

    async fn set_union(&self, seat: &Seat, request: contract::SetUnionRequest) -> Answer<Items> {
        over_sets(seat, "SUNION", request.keys).await
    }

    async fn set_intersection(
        &self,
        seat: &Seat,
        request: contract::SetIntersectionRequest,
    ) -> Answer<Items> {
        over_sets(seat, "SINTER", request.keys).await
    }

    async fn set_query(&self, seat: &Seat, request: contract::SetQueryRequest) -> Answer<Items> {
        over_sets(seat, "SUNION", vec![request.key]).await
    }

    async fn key_exists(&self, seat: &Seat, request: contract::KeyExistsRequest) -> Answer<Lookup> {
        let exists = seat.ask(cmd("EXISTS").arg(seat.key(&request.key))).await?;
        Ok(Lookup { value: String::new(), exists })
    }
}

/// The members a command over sets answers, in the order of their bytes; Redis gives them in none.
async fn over_sets(seat: &Seat, command: &str, mut keys: Vec<String>) -> Answer<Items> {
    // A set united with itself is itself, and need not be read again.
    keys.sort_unstable();
    keys.dedup();
    // Redis refuses a command over no keys at all.
    if keys.is_empty() {
        return Ok(Items { values: Vec::new() });
    }
    let mut values: Vec<String> = seat.run(&scripts::SETS, &keys, &[command]).await?;
    values.sort_unstable();
    Ok(Items { values })
}
