//! The contract's message of a request, with its body read to the end.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use http::request;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use trellis_capabilities_http_server::{OpenBody, RequestEncoder};

use crate::budget::{Budget, Held, UNCOUNTED_BYTES};
use crate::error_response::ErrorResponse;
use crate::route::Route;
use crate::timer::ConnectionTimer;

/// Where a request comes from.
pub(crate) struct Source<'a> {
    pub(crate) timer: &'a ConnectionTimer,
    pub(crate) head: &'a request::Parts,
    /// What its body is counted against.
    pub(crate) bodies: &'a Arc<Budget>,
}

/// A request that was read to its end.
pub(crate) struct Message {
    /// As the contract has it.
    pub(crate) bytes: Bytes,
    /// How much of it is the body.
    body_bytes: u64,
}

impl Message {
    /// Asks whether it may go to another route than the one it was read for.
    ///
    /// # Errors
    /// 413: it is too large there.
    fn fits(&self, route: &Route) -> Result<(), ErrorResponse> {
        if self.body_bytes > route.config.request.body_bytes_max {
            return Err(ErrorResponse::body_too_large());
        }
        if self.bytes.len() as u64 > route.config.request.message_bytes_max {
            return Err(ErrorResponse::message_too_large());
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
    /// 413, 408, 400 or 503: the body is too large, too slow or malformed, or there are too many.
    pub(crate) async fn whole(
        self,
        source: &Source<'_>,
        route: &Route,
    ) -> Result<Message, ErrorResponse> {
        match self {
            Self::Arriving(body) => message(source, body, route).await,
            Self::Whole(message) => message.fits(route).map(|()| message),
        }
    }
}

/// Reads a request to its end.
///
/// # Errors
/// As [`Asked::whole`].
async fn message(
    source: &Source<'_>,
    body: Incoming,
    route: &Route,
) -> Result<Message, ErrorResponse> {
    let message = RequestEncoder::new(source.head);
    let room = room_for_body(&message, route)?;
    if body.is_end_stream() {
        return Ok(Message { bytes: message.with_body(&[]).into(), body_bytes: 0 });
    }
    let length = body.size_hint();
    if length.lower() > room.bytes {
        return Err(room.exceeded());
    }
    let mut received = Received {
        body: message.open_body(),
        held: Held::nothing(source.bodies),
        capacity: 0,
        most: length.exact().unwrap_or(room.bytes),
    };
    receive(source.timer, body, &mut received, room).await?;
    let body_bytes = received.body.len() as u64;
    Ok(Message { bytes: received.held.over(received.body.close()), body_bytes })
}

/// A body as far as it has arrived. Its memory follows the bytes that came, never the word of a
/// `content-length`, and each step of it is counted before it is set aside.
struct Received {
    body: OpenBody,
    held: Held,
    /// Bytes set aside, and the most that can be needed.
    capacity: u64,
    most: u64,
}

impl Received {
    fn push(&mut self, piece: &[u8]) -> Result<(), ErrorResponse> {
        let needed = self.body.len() as u64 + piece.len() as u64;
        if needed > self.capacity {
            let step = UNCOUNTED_BYTES.max(self.capacity.saturating_mul(2));
            let capacity = step.min(self.most).max(needed);
            self.held.grow_to(capacity).map_err(|_| ErrorResponse::too_many_bodies())?;
            self.capacity = capacity;
            self.body.reserve(usize::try_from(capacity).unwrap_or(usize::MAX));
        }
        self.body.push(piece);
        Ok(())
    }
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
    fn exceeded(self) -> ErrorResponse {
        match self.limit {
            BodyLimit::Binding => ErrorResponse::body_too_large(),
            BodyLimit::Actor => ErrorResponse::message_too_large(),
        }
    }
}

fn room_for_body(message: &RequestEncoder, route: &Route) -> Result<Room, ErrorResponse> {
    let around = (message.written() + OpenBody::HEADER_BYTES_MAX) as u64;
    let of_actor = route.config.request.message_bytes_max.checked_sub(around);
    let of_actor = of_actor.ok_or_else(ErrorResponse::message_too_large)?;
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
    timer: &ConnectionTimer,
    mut body: Incoming,
    into: &mut Received,
    room: Room,
) -> Result<(), ErrorResponse> {
    timer.body_begins();
    let mut left = room.bytes;
    loop {
        let mut frame = pin!(body.frame());
        let next = std::future::poll_fn(|cx| match frame.as_mut().poll(cx) {
            Poll::Pending if timer.overdue_for_service() => {
                Poll::Ready(Err(ErrorResponse::body_too_slow()))
            }
            Poll::Pending => Poll::Pending,
            Poll::Ready(frame) => Poll::Ready(Ok(frame)),
        });
        let Some(frame) = next.await? else { return Ok(()) };
        let frame =
            frame.map_err(|_| ErrorResponse::malformed("The request body is malformed."))?;
        // Trailers have no place in the contract.
        let Ok(data) = frame.into_data() else { continue };
        left = left.checked_sub(data.len() as u64).ok_or_else(|| room.exceeded())?;
        into.push(&data)?;
    }
}
