//! The contract's message of a request, with its body read to the end.

use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use http::request;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use trellis_capabilities_http_server::RequestEncoder;

use crate::refusal::Refusal;
use crate::route::Route;
use crate::watch::Watch;

/// Most memory set aside on the word of a `content-length`; the rest grows as bytes arrive.
const TRUSTED_LENGTH: usize = 64 << 10;
/// Most bytes MessagePack adds around a body.
const BODY_PREFIX: u64 = 5;

/// A request that was read to its end.
pub(crate) struct Message {
    /// As the contract has it.
    pub(crate) bytes: Bytes,
    /// How much of it is the body.
    body_bytes: u64,
}

impl Message {
    fn new(bytes: Vec<u8>, body_bytes: u64) -> Self {
        Self { bytes: bytes.into(), body_bytes }
    }

    /// Asks whether it may go to another route than the one it was read for.
    ///
    /// # Errors
    /// 413: it is too large there.
    fn fits(&self, route: &Route) -> Result<(), Refusal> {
        if self.body_bytes > route.config.request.body_bytes_max {
            return Err(Refusal::body_too_large());
        }
        if self.bytes.len() as u64 > route.config.request.message_bytes_max {
            return Err(Refusal::message_too_large());
        }
        Ok(())
    }
}

/// A request on its way to a route, which may change under it.
pub(crate) enum Asked {
    Arriving(Incoming),
    Whole(Message),
}

impl Asked {
    /// Whether a body is still to be read.
    pub(crate) fn is_unread(&self) -> bool {
        matches!(self, Self::Arriving(body) if !body.is_end_stream())
    }

    /// The whole request, as far as the route lets it through.
    ///
    /// # Errors
    /// 413, 408 or 400: the body is too large, too slow or malformed.
    pub(crate) async fn whole(
        self,
        watch: &Watch,
        head: &request::Parts,
        route: &Route,
    ) -> Result<Message, Refusal> {
        match self {
            Self::Arriving(body) => message(watch, head, body, route).await,
            Self::Whole(message) => message.fits(route).map(|()| message),
        }
    }
}

/// Reads a request to its end.
///
/// # Errors
/// 413, 408 or 400: the body is too large, too slow or malformed.
async fn message(
    watch: &Watch,
    head: &request::Parts,
    body: Incoming,
    route: &Route,
) -> Result<Message, Refusal> {
    let message = RequestEncoder::new(head);
    let room = room_for_body(&message, route)?;
    if body.is_end_stream() {
        return Ok(Message::new(message.with_body(&[]), 0));
    }
    if body.size_hint().lower() > room.bytes {
        return Err(room.exceeded());
    }
    let Some(length) = body.size_hint().exact().and_then(|length| u32::try_from(length).ok())
    else {
        let mut collected = Vec::new();
        receive(watch, body, &mut collected, room).await?;
        return Ok(Message::new(message.with_body(&collected), collected.len() as u64));
    };
    let mut message = message.with_body_of(length);
    message.reserve(usize::try_from(length).unwrap_or(usize::MAX).min(TRUSTED_LENGTH));
    receive(watch, body, &mut message, room).await?;
    Ok(Message::new(message, length.into()))
}

/// How long a body may be, and which limit says so.
#[derive(Clone, Copy)]
struct Room {
    bytes: u64,
    limit: BodyLimit,
}

#[derive(Clone, Copy)]
enum BodyLimit {
    /// `BODY_BYTES_MAX` of the binding.
    Binding,
    /// `payload_bytes_max` of the actor, which holds for the whole message.
    Actor,
}

impl Room {
    fn exceeded(self) -> Refusal {
        match self.limit {
            BodyLimit::Binding => Refusal::body_too_large(),
            BodyLimit::Actor => Refusal::message_too_large(),
        }
    }
}

fn room_for_body(message: &RequestEncoder, route: &Route) -> Result<Room, Refusal> {
    let around = message.written() as u64 + BODY_PREFIX;
    let of_actor = route.config.request.message_bytes_max.checked_sub(around);
    let of_actor = of_actor.ok_or_else(Refusal::message_too_large)?;
    let of_binding = route.config.request.body_bytes_max.min(u64::from(u32::MAX));
    Ok(if of_binding <= of_actor {
        Room { bytes: of_binding, limit: BodyLimit::Binding }
    } else {
        Room { bytes: of_actor, limit: BodyLimit::Actor }
    })
}

/// Appends the body to `into`, no more of it than there is room for and no slower than the port
/// allows.
async fn receive(
    watch: &Watch,
    mut body: Incoming,
    into: &mut Vec<u8>,
    room: Room,
) -> Result<(), Refusal> {
    watch.body_begins();
    let mut left = room.bytes;
    loop {
        let mut frame = pin!(body.frame());
        let next = std::future::poll_fn(|cx| match frame.as_mut().poll(cx) {
            Poll::Pending if watch.overdue_for_service() => {
                Poll::Ready(Err(Refusal::body_too_slow()))
            }
            Poll::Pending => Poll::Pending,
            Poll::Ready(frame) => Poll::Ready(Ok(frame)),
        });
        let Some(frame) = next.await? else { return Ok(()) };
        let frame = frame.map_err(|_| Refusal::malformed("The request body is malformed."))?;
        // Trailers have no place in the contract.
        let Ok(data) = frame.into_data() else { continue };
        left = left.checked_sub(data.len() as u64).ok_or_else(|| room.exceeded())?;
        into.extend_from_slice(&data);
    }
}
