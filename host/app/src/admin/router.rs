//! From a request to its answer.

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use trellis_core::{CallError, Code};

use super::access::Access;
use super::answers::{Refused, Reply, plain};
use super::api::Admin;
use super::route::{Listing, Route};
use super::working::Working;
use super::{edit, invoke, listing, probes};

/// What `/v1` has, for who asks for something else.
const RESOURCES: &str = "There are /v1/host, /v1/status, /v1/actors, /v1/actors/NAME, \
                         /v1/providers, /v1/providers/NAME, /v1/bindings, /v1/edits, \
                         /v1/history, and POST /v1/edits and \
                         /v1/actors/NAME/invoke/OPERATION.";
/// Where `/v1` is, for who asks for it elsewhere.
const SOCKET: &str = "Ask over the host's socket: `trellis get hosts -o wide` has its path, and \
                      `curl --unix-socket PATH http://host/v1/host` asks there.";
/// Whose socket it is.
const OWNER: &str = "Ask as the user that runs the host, or as root.";

/// Answers a request of whoever came in.
pub(super) async fn answer(
    admin: &Admin,
    request: Request<Incoming>,
    access: Access,
    working: &Working,
) -> Reply {
    if access == Access::Stranger {
        let error = CallError::new(Code::Denied, "this socket is for the user of the host");
        return Refused::new(StatusCode::FORBIDDEN, error, OWNER).into_reply();
    }
    let route = Route::of(request.uri().path());
    if let Route::Listing(_) | Route::Invoke { .. } | Route::Edits | Route::NoResource = route {
        let answer = resource(admin, route, request, (access, working)).await;
        return answer.unwrap_or_else(Refused::into_reply);
    }
    if !is_read(request.method()) {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "GET only\n");
    }
    match route {
        Route::Live => plain(StatusCode::OK, "ok\n"),
        Route::Ready => probes::readyz(admin, request.headers()),
        Route::Metrics => probes::metrics(admin),
        _ => plain(StatusCode::NOT_FOUND, "try /livez, /readyz or /metrics\n"),
    }
}

/// Answers for what is below `/v1`.
async fn resource(
    admin: &Admin,
    route: Route,
    request: Request<Incoming>,
    (access, working): (Access, &Working),
) -> Result<Reply, Refused> {
    if access != Access::Owner {
        let error = CallError::new(Code::Denied, "the admin address answers no /v1");
        return Err(Refused::new(StatusCode::UNAUTHORIZED, error, SOCKET));
    }
    match route {
        Route::Listing(listing) if is_read(request.method()) => {
            listing::list(admin, listing, working).await
        }
        Route::Listing(_) => Err(Refused::method("GET, HEAD")),
        Route::Edits if is_read(request.method()) => {
            listing::list(admin, Listing::Edits, working).await
        }
        Route::Edits if request.method() == Method::POST => {
            edit::edit(admin, request, working).await
        }
        Route::Edits => Err(Refused::method("GET, HEAD, POST")),
        Route::Invoke { actor, operation } if request.method() == Method::POST => {
            invoke::invoke(admin, (actor, operation), request, working).await
        }
        Route::Invoke { .. } => Err(Refused::method("POST")),
        _ => {
            let path = request.uri().path();
            let error = CallError::new(Code::NotFound, format!("there is nothing at {path}"));
            Err(Refused::new(StatusCode::NOT_FOUND, error, RESOURCES))
        }
    }
}

fn is_read(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}
