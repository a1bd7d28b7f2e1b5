//! `GET /v1/actors/NAME/calls`: the calls of an actor, as they go on.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use trellis_control::ActorEntry;
use trellis_core::{CallError, Code};

use super::answers::{Refused, Reply};
use super::api::Admin;
use super::follow::{accepts_stream, ends, wrong};
use super::in_turn::in_turn;
use super::listing::actor as one_of;
use super::pass::Admitted;
use super::route::SHOWS_PAYLOAD;
use super::stream::{EVENT_STREAM, Outlet};
use super::working::Working;
use crate::feed::{Reader, Spy};

/// Shows the calls of an actor as they go on.
///
/// # Errors
/// [`Code::NotFound`] for an actor that nothing is, [`Code::Busy`] when enough streams are open,
/// [`Code::Message`] for who does not take a stream.
pub(super) async fn spy(
    admin: &Admin,
    (actor, shows_payload): (String, bool),
    (request, admitted): (&Request<Incoming>, Admitted),
    working: &Working,
) -> Result<Reply, Refused> {
    let query = request.uri().query().unwrap_or_default();
    if !["", "payload=false", SHOWS_PAYLOAD].contains(&query) {
        return Err(wrong("there is `payload`, which is `true` or `false`"));
    }
    if !accepts_stream(request.headers()) {
        let error = CallError::new(Code::Message, "calls are shown as they go on, and not kept");
        let cure = format!("Send `Accept: {EVENT_STREAM}`, and read on.");
        let refused = Refused::new(StatusCode::NOT_ACCEPTABLE, error, cure);
        return Err(refused.because("This path answers with a stream, and with nothing else."));
    }
    admitted.takes(&admin.0.feeds.places, working)?;
    let actors = actors(admin, working).await?;
    let one = one_of(actors.clone(), &actor)?;
    let (by, actor) = (admitted.asker.to_string(), &*one.name);
    tracing::info!(target: "audit", event = "spy", by, actor, shows_payload, "looks at calls");
    let (calls, dispatcher) = (&admin.0.feeds.calls, &admin.0.dispatcher);
    let spy = Spy::begin(calls, dispatcher, (&one, &actors), shows_payload);
    let outlet = Outlet {
        reader: Reader::new(spy.seen(), (None, None), |_| true),
        is_meant: Box::new(|_| true),
        _holds: Some(Box::new(spy)),
        ends: Box::pin(ends(admitted.pass, Arc::clone(&admin.0.identity))),
        working: working.clone(),
        metrics: admin.0.metrics.clone(),
    };
    Ok(outlet.into_reply())
}

/// The actors of the host, looked at where that holds up nobody.
async fn actors(admin: &Admin, working: &Working) -> Result<Vec<ActorEntry>, Refused> {
    let supervisor = admin.0.supervisor.clone();
    in_turn(admin, working, move || supervisor.overview().actors).await
}
