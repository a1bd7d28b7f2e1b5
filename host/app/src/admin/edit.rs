//! `POST /v1/edits`: something else is wanted than the manifest says.

use hyper::body::Incoming;
use hyper::header::{HeaderMap, IF_MATCH};
use hyper::{Request, StatusCode};
use trellis_control::{Answer, EditRequest, Fault};
use trellis_core::{CallError, Code};

use super::answers::{Refused, Reply, document, status_of};
use super::api::Admin;
use super::invoke::body;
use super::working::Working;
use crate::failure::Failure;

/// Has an edit made, and answers with what came of it.
///
/// # Errors
/// [`Code::Message`] for what is no edit, [`Code::Conflict`] when it was made for another revision,
/// and why it cannot be made.
pub(super) async fn edit(
    admin: &Admin,
    request: Request<Incoming>,
    working: &Working,
) -> Result<Reply, Refused> {
    let made_for = made_for(request.headers())?;
    let body = body(request.into_body()).await?;
    let request: EditRequest = serde_json::from_slice(&body)
        .map_err(|error| CallError::new(Code::Message, format!("the body is no edit: {error}")))?;
    let _working = working.begin();
    match admin.0.readiness.edits().make(request, made_for).await {
        Ok(edited) => Ok(document(StatusCode::OK, Answer::Edited(Box::new(edited)))),
        Err(failure) => Ok(refusal(&failure)),
    }
}

/// The revision of what is wanted that an edit was made for.
fn made_for(headers: &HeaderMap) -> Result<Option<u64>, CallError> {
    let Some(value) = headers.get(IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    let number = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    match number.parse() {
        Ok(revision) => Ok(Some(revision)),
        Err(_) if text == "*" => Ok(None),
        Err(_) => {
            let message = "if-match must be a revision of /v1/edits, such as \"3\"";
            Err(CallError::new(Code::Message, message))
        }
    }
}

fn refusal(failure: &Failure) -> Reply {
    let error = CallError::new(failure.code(), failure.first());
    let fault = Fault::of(&error).cure(failure.cure());
    document(status_of(error.code()), Answer::Error(Box::new(fault)))
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn an_edit_may_say_what_it_was_made_for() {
        let of =
            |value| made_for(&HeaderMap::from_iter([(IF_MATCH, HeaderValue::from_static(value))]));
        for (value, revision) in [("\"3\"", Some(3)), ("3", Some(3)), ("*", None)] {
            assert_eq!(of(value), Ok(revision), "{value}");
        }
        for wrong in ["", "\"", "three", "-1", "\"3"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
        assert_eq!(made_for(&HeaderMap::new()), Ok(None));
    }
}
