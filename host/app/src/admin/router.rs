//! From a request to its answer.

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use trellis_core::{CallError, Code};

use super::access::Access;
use super::answers::{JSON, Refused, Reply, plain, typed};
use super::api::Admin;
use super::bearer::authorize;
use super::route::{Listing, Route};
use super::working::Working;
use super::{edit, invoke, listing, probes};
use crate::asker::Asker;

/// What `/v1` has, for who asks for something else.
const RESOURCES: &str = "There are /v1/host, /v1/status, /v1/actors, /v1/actors/NAME, \
                         /v1/providers, /v1/providers/NAME, /v1/bindings, /v1/edits, \
                         /v1/history, /v1/openapi.json, and POST /v1/edits and \
                         /v1/actors/NAME/invoke/OPERATION.";
/// Whose socket it is.
const OWNER: &str = "Ask as the user that runs the host, or as root.";

/// Answers a request of whoever came in.
pub(super) async fn answer(
    admin: &Admin,
    request: Request<Incoming>,
    access: Access,
    working: &Working,
) -> Reply {
    let route = Route::of(request.uri().path());
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
) -> Result<Asker, Refused> {
    match (access, route.needs(is_read(request.method()))) {
        (Access::Owner, _) => Ok(Asker::Owner),
        (Access::Anybody(_), None) => Ok(Asker::Anybody),
        (Access::Anybody(from), Some(scope)) => {
            let key = authorize(admin, request.headers(), scope, from)?;
            Ok(Asker::User { key: Box::new(key), from })
        }
        (Access::Stranger, _) => {
            let error = CallError::new(Code::Denied, "this socket is for the user of the host");
            Err(Refused::new(StatusCode::FORBIDDEN, error, OWNER))
        }
    }
}

/// Answers a request of who may ask.
async fn carry_out(
    admin: &Admin,
    route: Route,
    (request, asker): (Request<Incoming>, Asker),
    working: &Working,
) -> Result<Reply, Refused> {
    let is_read = is_read(request.method());
    match route {
        Route::Listing(listing) if is_read => listing::list(admin, listing, working).await,
        Route::OpenApi if is_read => Ok(typed(StatusCode::OK, JSON, trellis_control::openapi())),
        Route::Listing(_) | Route::OpenApi => Err(Refused::method("GET, HEAD")),
        Route::Edits if is_read => listing::list(admin, Listing::Edits, working).await,
        Route::Edits if request.method() == Method::POST => {
            edit::edit(admin, (request, asker), working).await
        }
        Route::Edits => Err(Refused::method("GET, HEAD, POST")),
        Route::Invoke { actor, operation } if request.method() == Method::POST => {
            invoke::invoke(admin, (actor, operation), request, working).await
        }
        Route::Invoke { .. } => Err(Refused::method("POST")),
        Route::NoResource => {
            let path = request.uri().path();
            let error = CallError::new(Code::NotFound, format!("there is nothing at {path}"));
            Err(Refused::new(StatusCode::NOT_FOUND, error, RESOURCES))
        }
        _ if !is_read => Ok(plain(StatusCode::METHOD_NOT_ALLOWED, "GET only\n")),
        Route::Live => Ok(plain(StatusCode::OK, "ok\n")),
        Route::Ready => Ok(probes::readyz(admin, request.headers())),
        Route::Metrics => Ok(probes::metrics(admin)),
        Route::Nothing => {
            Ok(plain(StatusCode::NOT_FOUND, "try /livez, /readyz, /metrics or /v1/openapi.json\n"))
        }
    }
}

fn is_read(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}
