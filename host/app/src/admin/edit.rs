//! `POST /v1/edits`: something else is wanted than the manifest says.

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap, IF_MATCH};
use hyper::{Request, StatusCode};
use trellis_control::{Answer, DataTerms, Edit, EditRequest, Edits};
use trellis_core::{CallError, Code};
use trellis_limits::fixed::EDIT_BYTES;

use super::answers::{JSON, Refused, Reply, document, status_of};
use super::api::Admin;
use super::invoke::body;
use super::working::Working;
use crate::asker::Asker;
use crate::edits::Asked;
use crate::failure::Failure;

/// Has an edit made, and answers with what came of it.
///
/// # Errors
/// [`Code::Message`] for what is no edit, [`Code::Conflict`] when it was made for another revision,
/// and why it cannot be made.
pub(super) async fn edit(
    admin: &Admin,
    (request, asker): (Request<Incoming>, Asker),
    working: &Working,
) -> Result<Reply, Refused> {
    check_type(request.headers())?;
    let made_for = made_for(request.headers())?;
    let body = body(request.into_body(), &EDIT_BYTES).await?;
    let request: EditRequest = serde_json::from_slice(&body)
        .map_err(|error| no_edit(format!("the body is no edit: {error}")))?;
    let _working = working.begin();
    // Before anything of it is done: who asks may be gone before there is an outcome, and to look
    // at a program starts it, in a dry run too.
    let (asked, by) = (asked(&request), asker.to_string());
    tracing::info!(target: "audit", event = "edit", by, "{asked}");
    let order = Asked { by: asker, made_for };
    match admin.0.readiness.edits().make(request, order).await {
        Ok(edited) => Ok(document(StatusCode::OK, Answer::Edited(Box::new(edited)))),
        Err(failure) => {
            let code = failure.code().as_str();
            tracing::warn!(target: "audit", event = "edit", by, code, "refused: {asked}");
            Err(refusal(&failure))
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
        Edit::Rollback { name, to_manifest: true, .. } => {
            format!("{name} goes back to what the manifest says")
        }
        Edit::Rollback { name, to: None, .. } => format!("{name} goes back"),
        Edit::Stop { kind, name } => format!("{kind} {name} is to stop"),
        Edit::Start { kind, name, image, to, set } => {
            let as_what = image.iter().chain(to).map(|what| format!(" as {what}"));
            let names: Vec<_> = set.keys().map(String::as_str).collect();
            let with = (!set.is_empty()).then(|| format!(" with {}", names.join(", ")));
            format!("{kind} {name} is to start{}", as_what.chain(with).collect::<String>())
        }
        Edit::Scale { name, instances } => {
            format!("actor {name} is to have {instances} instances at most")
        }
        Edit::Bind { actor, capability, name, provider, set, unset } => {
            let provider = provider.iter().map(|it| format!(" over {it}")).collect::<String>();
            let names: Vec<_> = set.keys().chain(unset).map(String::as_str).collect();
            let with = if names.is_empty() { "" } else { " with other values of: " };
            let names = names.join(", ");
            format!("actor {actor} is to be bound to {capability} as {name}{provider}{with}{names}")
        }
        Edit::Unbind { actor, capability, name } => {
            format!("actor {actor} is to be bound to {capability} as {name} no more")
        }
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

/// A body that says what it is has to be JSON: what a form sends is none.
fn check_type(headers: &HeaderMap) -> Result<(), Refused> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let kind = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    if kind.trim().eq_ignore_ascii_case(JSON) {
        return Ok(());
    }
    let error = CallError::new(Code::Message, "the Content-Type of an edit is not JSON");
    let cure = "Send `Content-Type: application/json`, as `curl --json` does.";
    let refused = Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error, cure);
    Err(refused.because("An edit is a JSON document."))
}

/// What makes no sense, with where it stands what would.
fn no_edit(message: String) -> Refused {
    let cure = "`/v1/openapi.json` has what an edit may be (`EditRequest`), and docs/live-swap.md \
                examples.";
    Refused::malformed(message, cure)
}

/// The ETag of what is wanted that an edit was made for.
fn made_for(headers: &HeaderMap) -> Result<Option<String>, Refused> {
    let mut values = headers.get_all(IF_MATCH).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(no_edit("there are two headers if-match".to_owned()));
    }
    let text = value.to_str().unwrap_or_default().trim();
    let tag = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    match Edits::read_etag(tag) {
        Some(_) => Ok(Some(tag.to_owned())),
        None if text == "*" => Ok(None),
        // A number alone would be that of any start of the host.
        None => Err(no_edit("if-match must be the ETag that GET /v1/edits has".to_owned())),
    }
}

fn refusal(failure: &Failure) -> Refused {
    let error = CallError::new(failure.code(), failure.first());
    Refused::new(status_of(error.code()), error, failure.cure().to_owned())
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
        let told = edit(
            r#"{"edit": {"bind": {"actor": "a", "capability": "k:v", "provider": "s",
                "set": {"URL": "canary"}}}}"#,
        );
        let says = "actor a is to be bound to k:v as default over s with other values of: URL";
        assert_eq!(told, says);
        let told = edit(
            r#"{"edit": {"start": {"kind": "provider", "name": "s", "to": "builtin:x",
                "set": {"URL": "canary"}}}}"#,
        );
        assert_eq!(told, "provider s is to start as builtin:x with URL");
        let told = edit(r#"{"edit": {"rollback": {"name": "a", "to": 3}}, "data": "replace"}"#);
        assert_eq!(told, "a goes back to revision 3 (its data copied over others)");
    }

    #[test]
    fn an_edit_may_say_what_it_was_made_for() {
        let of =
            |value| made_for(&HeaderMap::from_iter([(IF_MATCH, HeaderValue::from_static(value))]));
        for (value, tag) in [("\"ab-3\"", Some("ab-3")), ("ab-3", Some("ab-3")), ("*", None)] {
            let read = of(value).unwrap_or_else(|refused| panic!("{value}: {refused:?}"));
            assert_eq!(read.as_deref(), tag, "{value}");
        }
        for wrong in ["", "\"", "three", "3", "\"3\"", "-1", "\"ab-3"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
        assert!(made_for(&HeaderMap::new()).is_ok_and(|tag| tag.is_none()));
    }

    #[test]
    fn what_a_form_sends_is_no_edit() {
        let of = |value| {
            check_type(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))]))
        };
        for json in ["application/json", "Application/JSON; charset=utf-8"] {
            assert!(of(json).is_ok(), "{json}");
        }
        for other in ["application/x-www-form-urlencoded", "text/plain", ""] {
            let refused = of(other).expect_err("it is none");
            assert_eq!(
                refused.into_reply().status(),
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "{other}"
            );
        }
        assert!(check_type(&HeaderMap::new()).is_ok());
    }
}
