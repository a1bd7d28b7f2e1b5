//! `POST /v1/data/ACTOR/BINDING/export` and `import`: what an actor has in a store.

use hyper::body::{Bytes, Incoming};
use hyper::{Request, StatusCode};
use serde::de::DeserializeOwned;
use tokio::task::spawn_blocking;
use trellis_control::{Answer, DataImport, DataQuery};
use trellis_core::{CallError, Code};
use trellis_limits::fixed::ADMIN_BODY;

use super::answers::{Refused, Reply, document, failed};
use super::api::Admin;
use super::invoke::body;
use super::working::Working;

/// Tells a page of what is there.
///
/// # Errors
/// [`Code::Message`] for a body that asks for nothing; what the store says.
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
    written(admin, Answer::Data(Box::new(page))).await
}

/// Puts something there.
///
/// # Errors
/// As [`export`]; [`Code::Data`] for a key that is there already.
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
async fn asked<T: DeserializeOwned + Send + 'static>(
    admin: &Admin,
    request: Request<Incoming>,
    working: &Working,
) -> Result<(T, impl Sized), Refused> {
    let body = body(request.into_body(), &ADMIN_BODY).await?;
    let working = working.begin();
    let body = if body.is_empty() { Bytes::from_static(b"{}") } else { body };
    Ok((read(admin, body).await?, working))
}

/// Reads a body where that holds up nobody.
async fn read<T: DeserializeOwned + Send + 'static>(
    admin: &Admin,
    body: Bytes,
) -> Result<T, Refused> {
    let _turn = admin.turn().await;
    let read = spawn_blocking(move || {
        serde_json::from_slice(&body).map_err(|error| {
            let text = format!("the body is not what this takes: {error}");
            Refused::from(CallError::new(Code::Message, text))
        })
    });
    read.await.unwrap_or_else(|_| Err(failed()))
}

async fn written(admin: &Admin, answer: Answer) -> Result<Reply, Refused> {
    let _turn = admin.turn().await;
    let written = spawn_blocking(move || document(StatusCode::OK, answer));
    written.await.map_err(|_| failed())
}
