//! `POST /v1/data/ACTOR/BINDING/export` and `import`: what an actor has in a store.

use hyper::body::{Bytes, Incoming};
use hyper::{Request, StatusCode};
use serde::de::DeserializeOwned;
use trellis_control::{Answer, DataImport, DataQuery};
use trellis_limits::fixed::ADMIN_BODY;

use super::answers::{Refused, Reply, document};
use super::api::Admin;
use super::in_turn::in_turn;
use super::invoke::body;
use super::working::{Turn, Working};

/// Tells a page of what is there.
///
/// # Errors
/// `E_MESSAGE` for a body that asks for nothing; what the store says.
pub(super) async fn export(
    admin: &Admin,
    (actor, binding): (String, String),
    (request, asker): (Request<Incoming>, &str),
    working: &Working,
) -> Result<Reply, Refused> {
    let (query, _held) = asked::<DataQuery>(admin, request, working).await?;
    // Each page: where to go on is the asker's word, and may be made up.
    let what = format!("the data of {actor} at {binding}").escape_debug().to_string();
    tracing::info!(target: "audit", event = "export", by = asker, "{what}");
    let page = admin.0.supervisor.export_data((&actor, &binding), query).await?;
    let answer = Answer::Data(Box::new(page));
    in_turn(admin, working, move || document(StatusCode::OK, answer)).await
}

/// Puts something there.
///
/// # Errors
/// As [`export`]; `E_DATA` for a key that is there already.
pub(super) async fn import(
    admin: &Admin,
    (actor, binding): (String, String),
    (request, asker): (Request<Incoming>, &str),
    working: &Working,
) -> Result<Reply, Refused> {
    let (import, _held) = asked::<DataImport>(admin, request, working).await?;
    let (pieces, over) = (import.pieces.len(), if import.replace { " (over others)" } else { "" });
    let what = format!("{pieces} pieces for {actor} at {binding}{over}").escape_debug().to_string();
    tracing::info!(target: "audit", event = "import", by = asker, "{what}");
    let taken = admin.0.supervisor.import_data((&actor, &binding), import).await?;
    Ok(document(StatusCode::OK, Answer::DataTaken(taken)))
}

/// What is asked, and what is to be held until it is answered. No body asks for nothing special.
async fn asked<'a, T: DeserializeOwned + Send + 'static>(
    admin: &Admin,
    request: Request<Incoming>,
    working: &'a Working,
) -> Result<(T, Turn<'a>), Refused> {
    let body = body(request.into_body(), &ADMIN_BODY).await?;
    let turn = working.begin();
    let body = if body.is_empty() { Bytes::from_static(b"{}") } else { body };
    let reading = in_turn(admin, working, move || serde_json::from_slice(&body));
    let read = reading.await?.map_err(|error| {
        let text = format!("the body is not what this takes: {error}");
        Refused::malformed(text, "`/v1/openapi.json` has it: `DataQuery` and `DataImport`.")
    })?;
    Ok((read, turn))
}
