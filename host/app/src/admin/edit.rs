//! `POST /v1/edits`: something else is wanted than the manifest says.

use hyper::body::Incoming;
use hyper::header::{HeaderMap, IF_MATCH};
use hyper::{Request, StatusCode};
use trellis_control::{Answer, DataTerms, Edit, EditRequest, Fault};
use trellis_core::{CallError, Code};
use trellis_limits::fixed::EDIT_BYTES;

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
    (request, asker): (Request<Incoming>, &str),
    working: &Working,
) -> Result<Reply, Refused> {
    let made_for = made_for(request.headers())?;
    let body = body(request.into_body(), &EDIT_BYTES).await?;
    let request: EditRequest = serde_json::from_slice(&body)
        .map_err(|error| CallError::new(Code::Message, format!("the body is no edit: {error}")))?;
    let _working = working.begin();
    // Before anything of it is done: who asks may be gone before there is an outcome, and to look
    // at a program starts it, in a dry run too.
    let asked = asked(&request);
    tracing::info!(target: "audit", event = "edit", by = asker, "{asked}");
    match admin.0.readiness.edits().make(request, made_for).await {
        Ok(edited) => Ok(document(StatusCode::OK, Answer::Edited(Box::new(edited)))),
        Err(failure) => {
            let code = failure.code().as_str();
            tracing::warn!(target: "audit", event = "edit", by = asker, code, "refused: {asked}");
            Ok(refusal(&failure))
        }
    }
}

/// What is asked for, in words: of values their names alone.
fn asked(request: &EditRequest) -> String {
    let asked = match &request.edit {
        Edit::Actor { name, image } => format!("actor {name} is to be {image}"),
        Edit::Provider { name, to, set, unset } => {
            let to = to.as_deref().map_or_else(String::new, |to| format!(" is to be {to}"));
            let names: Vec<_> = set.keys().chain(unset).map(String::as_str).collect();
            format!("provider {name}{to} with other values of: {}", names.join(", "))
        }
        Edit::Rollback { name, to: Some(to), .. } => format!("{name} goes back to revision {to}"),
        Edit::Rollback { name, to: None, .. } => format!("{name} goes back"),
    };
    let ways = [
        (request.dry_run, " (dry run)"),
        (request.force, " (forced)"),
        (request.allow_more_capabilities, " (more capabilities allowed)"),
        (request.data == Some(DataTerms::Copy), " (its data copied)"),
        (request.data == Some(DataTerms::Replace), " (its data copied over others)"),
    ];
    let ways = ways.iter().filter(|(is_so, _)| *is_so).map(|(_, word)| *word);
    ways.fold(asked, |asked, word| asked + word).escape_debug().to_string()
}

/// The revision of what is wanted that an edit was made for.
fn made_for(headers: &HeaderMap) -> Result<Option<u64>, CallError> {
    let mut values = headers.get_all(IF_MATCH).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(CallError::new(Code::Message, "there are two headers if-match"));
    }
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
    fn what_is_asked_for_is_told_without_values() {
        let edit = |json: &str| asked(&serde_json::from_str(json).expect("an edit"));
        let told = edit(
            r#"{"edit": {"provider": {"name": "s", "to": "builtin:x", "set": {"URL": "canary"},
                "unset": ["A"]}}, "dry_run": true, "force": true}"#,
        );
        let says = "provider s is to be builtin:x with other values of: URL, A (dry run) (forced)";
        assert_eq!(told, says);
        let told = edit(r#"{"edit": {"actor": {"name": "a\nb", "image": "/a.wasm"}}}"#);
        assert_eq!(told, "actor a\\nb is to be /a.wasm", "it is one line");
        let told = edit(r#"{"edit": {"rollback": {"name": "a", "to": 3}}, "data": "replace"}"#);
        assert_eq!(told, "a goes back to revision 3 (its data copied over others)");
    }

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
