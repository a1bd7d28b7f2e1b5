//! `GET /v1/events` and the like: what is kept of what happened, or a stream of what goes on.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{ACCEPT, HeaderMap};
use hyper::{Request, StatusCode};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use trellis_control::{Answer, Event, LogLevel, LogLine, rfc3339};
use trellis_core::CallError;
use trellis_core::units::parse_duration;

use super::answers::{Refused, Reply, document};
use super::api::Admin;
use super::in_turn::in_turn;
use super::pass::{Admitted, Pass};
use super::route::Feed;
use super::stream::{EVENT_STREAM, Outlet};
use super::working::Working;
use crate::feed::{Reader, Ring, log_lines, now_unix_ms};
use crate::identity::Identity;

/// The header with which a reader goes on where it was.
const LAST_EVENT_ID: &str = "last-event-id";

/// What of it is asked for.
#[derive(Default, Debug)]
struct Asked {
    /// Only the last so many of what is kept.
    tail: Option<usize>,
    /// Only what is no older than this, as RFC 3339 has it.
    since: Option<String>,
    /// Only what has a type that begins like this.
    kind: Option<String>,
    /// Only what is of the actor or the provider of that name.
    about: Option<String>,
    /// Only what matters as much as that.
    level: Option<LogLevel>,
}

/// Tells what is kept, or goes on to tell what happens.
///
/// # Errors
/// `E_MESSAGE` for a query that is none, `E_BUSY` when enough streams are open.
pub(super) async fn follow(
    admin: &Admin,
    feed: Feed,
    (request, admitted): (&Request<Incoming>, Admitted),
    working: &Working,
) -> Result<Reply, Refused> {
    let asked = Asked::of(request.uri().query().unwrap_or_default(), &feed)?;
    let following = Following { admin, admitted, working, headers: request.headers() };
    match feed {
        Feed::Events => {
            let ring = admin.0.feeds.events.ring();
            let tail = asked.tail;
            following.answer(ring, tail, move |it| asked.means_event(it), Answer::Events).await
        }
        Feed::Logs => {
            let tail = asked.tail;
            following.answer(log_lines(), tail, move |it| asked.means_line(it), Answer::Logs).await
        }
    }
}

/// Who follows, and how.
struct Following<'a> {
    admin: &'a Admin,
    admitted: Admitted,
    working: &'a Working,
    headers: &'a HeaderMap,
}

impl Following<'_> {
    async fn answer<T: Serialize + Clone + Send + Sync + 'static>(
        self,
        ring: &Arc<Ring<T>>,
        tail: Option<usize>,
        is_meant: impl Fn(&T) -> bool + Send + 'static,
        list: impl FnOnce(Vec<T>) -> Answer + Send + 'static,
    ) -> Result<Reply, Refused> {
        let ring = Arc::clone(ring);
        let (admin, working) = (self.admin, self.working);
        if !accepts_stream(self.headers) {
            return in_turn(admin, working, move || kept(&ring, tail, is_meant, list)).await;
        }
        self.admitted.takes(&admin.0.feeds.places, working)?;
        let last = self.headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok());
        let last = last.map(str::to_owned);
        let looking = move || (Reader::new(&ring, (last.as_deref(), tail), &is_meant), is_meant);
        let (reader, is_meant) = in_turn(admin, working, looking).await?;
        let outlet = Outlet {
            reader,
            is_meant: Box::new(is_meant),
            _holds: None,
            ends: Box::pin(ends(self.admitted.pass, Arc::clone(&admin.0.identity))),
            working: working.clone(),
            metrics: admin.0.metrics.clone(),
        };
        Ok(outlet.into_reply())
    }
}

/// What is kept and meant, or the last of it.
fn kept<T: Clone>(
    ring: &Ring<T>,
    tail: Option<usize>,
    is_meant: impl Fn(&T) -> bool,
    list: impl FnOnce(Vec<T>) -> Answer,
) -> Reply {
    let kept = ring.all();
    let meant: Vec<_> = kept.into_iter().filter(|it| is_meant(it)).collect();
    let from = meant.len().saturating_sub(tail.unwrap_or(usize::MAX));
    let meant = meant[from..].iter().map(|it| T::clone(it)).collect();
    document(StatusCode::OK, list(meant))
}

/// Why whoever asked may not go on any more, once that is so.
pub(super) async fn ends(pass: Option<Pass>, identity: Arc<Identity>) -> CallError {
    match pass {
        Some(pass) => pass.ends(&identity).await,
        None => std::future::pending().await,
    }
}

impl Asked {
    /// What a query asks for; what is not known is refused, since it would be left out in silence.
    fn of(query: &str, feed: &Feed) -> Result<Self, Refused> {
        let mut asked = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value).decode_utf8();
            let value = value.map_err(|_| wrong(&format!("`{key}` is no text")))?;
            let is_taken = match key {
                "tail" => put(&mut asked.tail, value.parse().ok()),
                "since" => {
                    let since = parse_duration(&value).and_then(before_now);
                    put(&mut asked.since, since.map(rfc3339))
                }
                _ if !feed.keys().contains(&key) => false,
                "level" => put(&mut asked.level, LogLevel::parse(&value)),
                "about" => put(&mut asked.about, some_text(&value)),
                _ => put(&mut asked.kind, some_text(&value)),
            };
            if !is_taken {
                let keys: Vec<_> = ["tail", "since"].iter().chain(feed.keys()).copied().collect();
                return Err(wrong(&format!(
                    "`{key}` is none of {}, or its value is wrong",
                    keys.join(", ")
                )));
            }
        }
        Ok(asked)
    }

    fn means_event(&self, event: &Event) -> bool {
        let is_of = |kind: &String| event.kind.starts_with(&**kind);
        self.kind.as_ref().is_none_or(is_of) && self.reaches(&event.time)
    }

    fn means_line(&self, line: &LogLine) -> bool {
        self.about.as_ref().is_none_or(|name| line.concerns(name))
            && self.level.is_none_or(|level| line.level <= level)
            && self.reaches(&line.time)
    }

    /// True for a moment that is late enough.
    fn reaches(&self, time: &str) -> bool {
        // Moments of this form are in the order of their texts.
        self.since.as_ref().is_none_or(|since| time >= &**since)
    }
}

/// Puts a value in its place; false when there is none.
fn put<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    *place = value;
    place.is_some()
}

fn some_text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

pub(super) fn wrong(what: &str) -> Refused {
    let cure = "`/v1/openapi.json` has the parameters of each path; names and values are \
                percent-encoded.";
    Refused::malformed(format!("the query is wrong: {what}"), cure)
}

/// The moment so long ago.
fn before_now(span: Duration) -> Option<u64> {
    Some(now_unix_ms().saturating_sub(u64::try_from(span.as_millis()).ok()?))
}

pub(super) fn accepts_stream(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepts.flat_map(|value| value.split(',')).any(|kind| {
        let kind = kind.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case(EVENT_STREAM)
    })
}

#[cfg(test)]
mod tests {
    use trellis_control::{Happening, Phase};
    use trellis_core::Code;

    use super::*;

    #[test]
    fn a_query_says_what_is_meant_and_a_mistake_is_told() {
        let asked = Asked::of("tail=3&since=5m&type=io.trellis%2Ehost", &Feed::Events);
        let asked = asked.expect("it is one");
        assert_eq!((asked.tail, asked.kind.as_deref()), (Some(3), Some("io.trellis.host")));
        assert!(asked.since.is_some_and(|since| since < rfc3339(now_unix_ms() - 200_000)));
        for query in
            ["tail", "tail=-1", "tail=x", "since=", "since=x", "level=warn", "type=", "a=%FF"]
        {
            let refused = Asked::of(query, &Feed::Events).expect_err(query);
            assert_eq!(refused.code(), Code::Message, "{query}");
        }
        assert!(Asked::of("", &Feed::Events).expect("none").tail.is_none());
    }

    #[test]
    fn an_event_is_meant_by_its_type_and_its_time() {
        let names = (String::new(), String::new());
        let event = Event::of(Happening::phase(Phase::Ready), names, 1_000_500);
        let means = |kind: Option<&str>, since: Option<u64>| {
            let (kind, since) = (kind.map(str::to_owned), since.map(rfc3339));
            let asked = Asked { since, kind, ..Asked::default() };
            asked.means_event(&event)
        };
        assert!(means(None, None) && means(Some("io.trellis.host.r"), Some(1_000_500)));
        assert!(!means(Some("io.trellis.host.actor"), None) && !means(None, Some(1_000_501)));
    }

    #[test]
    fn a_line_is_meant_by_whom_it_is_of_and_how_much_it_matters() {
        let line = LogLine {
            time: rfc3339(0),
            level: LogLevel::Warn,
            target: "actor".to_owned(),
            message: String::new(),
            fields: [("actor".to_owned(), "counter".to_owned())].into(),
        };
        let means = |query: &str| Asked::of(query, &Feed::Logs).expect(query).means_line(&line);
        assert!(means("") && means("about=counter&level=warn") && means("level=debug"));
        assert!(!means("about=other") && !means("level=error") && !means("since=5m"));
        assert!(Asked::of("level=loud", &Feed::Logs).is_err());
        assert!(Asked::of("type=a", &Feed::Logs).is_err());
    }

    #[test]
    fn a_stream_is_what_asks_for_one() {
        let headers = |value: &'static str| {
            HeaderMap::from_iter([(ACCEPT, hyper::header::HeaderValue::from_static(value))])
        };
        assert!(accepts_stream(&headers("text/event-stream")));
        assert!(accepts_stream(&headers("application/json, Text/Event-Stream;q=0.9")));
        assert!(!accepts_stream(&headers("*/*")) && !accepts_stream(&HeaderMap::new()));
    }
}
