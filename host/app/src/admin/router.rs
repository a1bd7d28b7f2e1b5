//! From a request to its answer.

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use trellis_core::{CallError, Code};

use super::access::Access;
use super::answers::{JSON, Refused, Reply, plain, typed};
use super::api::Admin;
use super::bearer::authorize;
use super::pass::Admitted;
use super::route::{Listing, Route};
use super::working::Working;
use super::{data, edit, follow, invoke, listing, probes, spy};
use crate::asker::Asker;

/// What `/v1` has, for who asks for something else.
const RESOURCES: &str = "There are /v1/host, /v1/status, /v1/actors, /v1/actors/NAME, \
                         /v1/providers, /v1/providers/NAME, /v1/bindings, /v1/edits, \
                         /v1/history, /v1/events, /v1/logs, /v1/calls, /v1/calls/TRACE, \
                         /v1/actors/NAME/calls, /v1/loads, /v1/openapi.json, and POST /v1/edits, \
                         /v1/actors/NAME/invoke/OPERATION and \
                         /v1/data/ACTOR/BINDING/export or import.";
/// Whose socket it is.
const OWNER: &str = "Ask as the user that runs the host, or as root.";

/// Answers a request of whoever came in.
pub(super) async fn answer(
    admin: &Admin,
    request: Request<Incoming>,
    access: Access,
    working: &Working,
) -> Reply {
    let uri = request.uri();
    let route = Route::of(uri.path(), uri.query().unwrap_or_default());
    let answer = match may_ask(admin, &route, &request, access) {
        Ok(asker) => carry_out(admin, route, (request, asker), working).await,
        Err(refused) => Err(refused),
    };
    answer.unwrap_or_else(|refused| {
        admin.0.metrics.admin_refused(refused.code());
        refused.into_reply()
    })
}

/// Who came in, if they may have what is asked for.
fn may_ask(
    admin: &Admin,
    route: &Route,
    request: &Request<Incoming>,
    access: Access,
) -> Result<Admitted, Refused> {
    match (access, route.needs(is_read(request.method()))) {
        (Access::Owner, _) => Ok(Admitted::known(Asker::Owner)),
        (Access::Anybody(_), None) => Ok(Admitted::known(Asker::Anybody)),
        (Access::Anybody(from), Some(scope)) => authorize(admin, request.headers(), scope, from),
        (Access::Stranger, _) => {
            let error = CallError::new(Code::Denied, "this socket is for the user of the host");
            let refused = Refused::new(StatusCode::FORBIDDEN, error, OWNER);
            Err(refused.because("Another user than the host's came in over its socket."))
        }
    }
}

/// Answers a request of who may ask.
async fn carry_out(
    admin: &Admin,
    route: Route,
    (request, admitted): (Request<Incoming>, Admitted),
    working: &Working,
) -> Result<Reply, Refused> {
    let is_read = is_read(request.method());
    match route {
        Route::Listing(listing) if is_read => listing::list(admin, listing, working).await,
        Route::OpenApi if is_read => Ok(typed(StatusCode::OK, JSON, trellis_control::openapi())),
        Route::Follow(feed) if is_read => {
            follow::follow(admin, feed, (&request, admitted), working).await
        }
        Route::Spy { actor, shows_payload } if is_read => {
            spy::spy(admin, (actor, shows_payload), (&request, admitted), working).await
        }
        Route::Decisions(trace) if is_read => listing::decisions(admin, trace, working).await,
        Route::Listing(_)
        | Route::OpenApi
        | Route::Follow(_)
        | Route::Spy { .. }
        | Route::Decisions(_) => Err(Refused::method("GET, HEAD")),
        Route::Edits if is_read => listing::list(admin, Listing::Edits, working).await,
        Route::Edits if request.method() == Method::POST => {
            edit::edit(admin, (request, admitted.asker), working).await
        }
        Route::Edits => Err(Refused::method("GET, HEAD, POST")),
        Route::Invoke { actor, operation } if request.method() == Method::POST => {
            admitted.takes(&admin.0.under_way, working)?;
            invoke::invoke(admin, (actor, operation), request, working).await
        }
        Route::Data { actor, binding, import } if request.method() == Method::POST => {
            admitted.takes(&admin.0.under_way, working)?;
            let by = admitted.asker.to_string();
            let (binding, request) = ((actor, binding), (request, &*by));
            match import {
                false => data::export(admin, binding, request, working).await,
                true => data::import(admin, binding, request, working).await,
            }
        }
        Route::Invoke { .. } | Route::Data { .. } => Err(Refused::method("POST")),
        Route::NoResource => {
            let path = request.uri().path();
            let error = CallError::new(Code::NotFound, format!("there is nothing at {path}"));
            let refused = Refused::new(StatusCode::NOT_FOUND, error, RESOURCES);
            Err(refused.because("The admin API has no such path."))
        }
        _ if !is_read => Ok(plain(StatusCode::METHOD_NOT_ALLOWED, "GET only\n")),
        Route::Live => Ok(plain(StatusCode::OK, "ok\n")),
        Route::Ready => probes::readyz(admin, request.headers(), working).await,
        Route::Metrics => probes::metrics(admin, working).await,
        Route::Nothing => {
            Ok(plain(StatusCode::NOT_FOUND, "try /livez, /readyz, /metrics or /v1/openapi.json\n"))
        }
    }
}

fn is_read(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}
