//! `GET /v1/…`: what the host is, runs and wants.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{ETAG, HeaderValue};
use trellis_control::{ActorEntry, Answer, ComponentKind, Overview, ProviderEntry};
use trellis_core::{CallError, Code, nearest_name};
use trellis_limits::followed::DECISIONS_KEPT;

use super::answers::{Refused, Reply, document};
use super::api::Admin;
use super::in_turn::in_turn;
use super::loads::loads;
use super::route::Listing;
use super::working::Working;
use crate::edits::Edits;

/// Tells what is asked for.
///
/// # Errors
/// [`Code::NotFound`] for a name that nothing has.
pub(super) async fn list(
    admin: &Admin,
    listing: Listing,
    working: &Working,
) -> Result<Reply, Refused> {
    let telling = admin.clone();
    // Ten thousand actors take a while.
    in_turn(admin, working, move || Ok(told(telling.tell(listing)?))).await?
}

/// Tells why the calls of a trace were let through or not, or all of which that is known.
///
/// # Errors
/// [`Code::NotFound`] when nothing is known of that trace.
pub(super) async fn decisions(
    admin: &Admin,
    trace: Option<String>,
    working: &Working,
) -> Result<Reply, Refused> {
    let calls = Arc::clone(&admin.0.feeds.calls);
    in_turn(admin, working, move || {
        let decisions = calls.decisions().of(trace.as_deref());
        match trace.filter(|_| decisions.is_empty()) {
            None => Ok(document(StatusCode::OK, Answer::Decisions(decisions))),
            Some(trace) => Err(not_known(&trace, calls.decisions().since())),
        }
    })
    .await?
}

/// Nothing is known of a trace, and this is what is known: what was refused and all else, each
/// since a moment.
fn not_known(trace: &str, since: [Option<String>; 2]) -> Refused {
    let message = format!("nothing is known of a call with the trace {}", trace.escape_debug());
    let most = DECISIONS_KEPT.default;
    let [refused, others] = since.map(|since| match since {
        Some(time) => format!("since {time}"),
        None => "none so far".to_owned(),
    });
    let cure = format!(
        "Kept are the last {most} calls that were refused ({refused}), and as many that failed or \
         went on while somebody spied with `trellis spy ACTOR` ({others}); a restart forgets them. \
         A trace is 32 hex digits: the log has it as `trace_id`, and `trellis why` lists those \
         that are kept."
    );
    let error = CallError::new(Code::NotFound, message);
    let refused = Refused::new(StatusCode::NOT_FOUND, error, cure);
    refused.because("It went well while nobody looked, or is forgotten.")
}

/// An answer, with the tag by which a change says what it was made for.
fn told(answer: Answer) -> Reply {
    let tag = match &answer {
        Answer::Edits(edits) => HeaderValue::from_str(&format!("\"{}\"", edits.etag)).ok(),
        _ => None,
    };
    let mut reply = document(StatusCode::OK, answer);
    if let Some(tag) = tag {
        reply.headers_mut().insert(ETAG, tag);
    }
    reply
}

impl Admin {
    fn tell(&self, listing: Listing) -> Result<Answer, Refused> {
        let edits = self.0.readiness.edits();
        let overview = || with_edits(self.0.supervisor.overview(), edits);
        Ok(match listing {
            Listing::Host => {
                let phase = self.0.readiness.phase();
                Answer::Host(Box::new(self.0.identity.entry(phase)))
            }
            Listing::Status => Answer::Status(Box::new(self.0.readiness.status())),
            Listing::Actors => Answer::Actors(overview().actors),
            Listing::Actor(name) => Answer::Actor(Box::new(actor(overview().actors, &name)?)),
            Listing::Providers => Answer::Providers(overview().providers),
            Listing::Provider(name) => {
                Answer::Provider(Box::new(provider(overview().providers, &name)?))
            }
            Listing::Bindings => Answer::Bindings(overview().bindings),
            Listing::Loads => Answer::Loads(loads(overview(), self.0.dispatcher.loads())),
            Listing::Edits => Answer::Edits(Box::new(edits.look(|book| book.entries()))),
            Listing::History => Answer::History(edits.look(|book| book.history())),
        })
    }
}

/// The same with the edits by which something runs.
fn with_edits(mut overview: Overview, edits: &Edits) -> Overview {
    for entry in edits.look(|book| book.entries()).edits {
        let name = entry.name.clone();
        match entry.kind {
            ComponentKind::Actor => {
                let actor = overview.actors.iter_mut().find(|it| it.name == name);
                actor.into_iter().for_each(|it| it.edit = Some(entry.clone()));
            }
            ComponentKind::Provider => {
                let provider = overview.providers.iter_mut().find(|it| it.name == name);
                provider.into_iter().for_each(|it| it.edit = Some(entry.clone()));
            }
        }
    }
    overview
}

/// The actor of that name, or else of that key.
pub(super) fn actor(mut actors: Vec<ActorEntry>, name: &str) -> Result<ActorEntry, Refused> {
    let by_name = actors.iter().position(|it| it.name == name);
    match by_name.or_else(|| actors.iter().position(|it| it.key == name)) {
        Some(place) => Ok(actors.swap_remove(place)),
        None => Err(unknown("actor", name, actors.iter().map(|it| &*it.name))),
    }
}

fn provider(mut providers: Vec<ProviderEntry>, name: &str) -> Result<ProviderEntry, Refused> {
    match providers.iter().position(|it| it.name == name) {
        Some(place) => Ok(providers.swap_remove(place)),
        None => Err(unknown("provider", name, providers.iter().map(|it| &*it.name))),
    }
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Refused {
    let near = nearest_name(name, known);
    let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    let message = format!("the host has no {what} `{name}`{near}");
    let error = CallError::new(Code::NotFound, message);
    let cure = format!("`trellis get {what}s` lists those that there are.");
    let refused = Refused::new(StatusCode::NOT_FOUND, error, cure);
    refused.because("Nothing of that name runs, or is wanted by the manifest or an edit.")
}
