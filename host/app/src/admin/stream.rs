//! A stream of what happens, as server-sent events, at the pace of whoever reads it.
//! Source: HTML Living Standard, 9.2 "Server-sent events".

use std::any::Any;
use std::fmt::Write as _;
use std::pin::Pin;
use std::time::Duration;

use futures_util::stream::unfold;
use http_body_util::{Either, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;
use tokio::time::{Instant, sleep_until};
use trellis_control::{Answer, Document, Fault, Lost};
use trellis_core::{CallError, Code};

use super::answers::Reply;
use super::pass::cure_of_end;
use super::working::Working;
use crate::feed::{Read, Reader};
use crate::metrics::Metrics;

/// The type of a stream.
pub(super) const EVENT_STREAM: &str = "text/event-stream";
/// How often something is sent at least, so that both ends see that the other is there.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// A comment, which no reader shows.
const BEAT: &[u8] = b": \n\n";

/// What is sent to whom.
pub(super) struct Outlet<T> {
    pub(super) reader: Reader<T>,
    /// What of it is meant.
    pub(super) is_meant: Box<dyn Fn(&T) -> bool + Send>,
    /// Who asked may not go on any more, for this reason.
    pub(super) ends: Pin<Box<dyn Future<Output = CallError> + Send>>,
    /// What lasts as long as the stream.
    pub(super) _holds: Option<Box<dyn Any + Send>>,
    pub(super) working: Working,
    pub(super) metrics: Metrics,
}

/// A stream under way.
struct Flow<T> {
    outlet: Outlet<T>,
    /// When something is sent, whatever happens.
    beat: Instant,
    is_over: bool,
}

impl<T: Serialize + Send + Sync + 'static> Outlet<T> {
    /// The answer that goes on until one of both ends.
    pub(super) fn into_reply(self) -> Reply {
        // The first thing is sent at once: so its reader knows that it is followed from now on.
        let flow = Flow { outlet: self, beat: Instant::now(), is_over: false };
        let frames = unfold(flow, |mut flow| async move {
            let bytes = flow.next().await?;
            Some((Ok(Frame::data(bytes)), flow))
        });
        let mut response = Response::new(Either::Right(StreamBody::new(Box::pin(frames) as _)));
        *response.status_mut() = StatusCode::OK;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

impl<T: Serialize> Flow<T> {
    /// The next bytes. Until there are some it is the host's turn; then the client's, who is not
    /// waited for without end.
    async fn next(&mut self) -> Option<Bytes> {
        if self.is_over {
            return None;
        }
        let Outlet { reader, is_meant, ends, working, metrics, .. } = &mut self.outlet;
        let _turn = working.begin();
        let bytes = loop {
            tokio::select! {
                biased;
                why = &mut *ends => {
                    self.is_over = true;
                    break end(&why);
                }
                () = sleep_until(self.beat) => break Bytes::from_static(BEAT),
                read = reader.next() => match read {
                    Some(Read::Item(number, item)) if is_meant(&item) => {
                        break event(Some(&reader.id(number)), None, &*item);
                    }
                    Some(Read::Item(..)) => {}
                    Some(Read::Lost(lost)) => {
                        metrics.stream_lost(lost);
                        break event(None, Some("lost"), &Lost { lost });
                    }
                    None => {
                        self.is_over = true;
                        break end(&CallError::new(Code::Stopping, "the host has stopped"));
                    }
                }
            }
        };
        self.beat = Instant::now() + HEARTBEAT;
        Some(bytes)
    }
}

/// The last event of a stream: why nothing more comes.
fn end(why: &CallError) -> Bytes {
    let fault = Fault::of(why);
    let fault = match cure_of_end(why.code()) {
        Some(cure) => fault.cure(cure),
        None => fault,
    };
    event(None, Some("end"), &Document::of(Answer::Error(Box::new(fault))))
}

fn event(id: Option<&str>, name: Option<&str>, data: &impl Serialize) -> Bytes {
    let mut text = String::new();
    for (field, value) in [("id", id), ("event", name)] {
        if let Some(value) = value {
            // Writing to a text cannot fail.
            let _ = writeln!(text, "{field}: {value}");
        }
    }
    // JSON of ours has no line breaks outside of texts, and there they are written as `\n`.
    let data = serde_json::to_string(data).expect("our documents are maps with string keys");
    let _ = write!(text, "data: {data}\n\n");
    text.into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http_body_util::BodyExt;
    use tokio::sync::oneshot;

    use super::*;
    use crate::feed::{Bounds, Ring};

    /// A stream of a ring that keeps three, and what ends it.
    fn stream() -> (Arc<Ring<u64>>, Reply, oneshot::Sender<CallError>) {
        let ring = Arc::new(Ring::new(Bounds { items_max: 3, bytes_max: 1_000 }));
        let (end, ends) = oneshot::channel();
        let outlet = Outlet {
            reader: Reader::new(&ring, (None, None), |_| true),
            is_meant: Box::new(|number| number % 2 == 0),
            ends: Box::pin(async { ends.await.expect("the test ends it") }),
            _holds: None,
            working: Working::new().0,
            metrics: Metrics::default(),
        };
        (ring, outlet.into_reply(), end)
    }

    async fn next(reply: &mut Reply) -> Option<String> {
        let frame = reply.body_mut().frame().await?.expect("it does not fail");
        Some(String::from_utf8_lossy(frame.data_ref().expect("data")).into_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_sends_what_is_meant_and_what_is_lost_and_a_beat_while_nothing_happens() {
        let (ring, mut reply, _end) = stream();
        assert_eq!(next(&mut reply).await.as_deref(), Some(": \n\n"), "it has begun");
        let since = Instant::now();
        assert_eq!(next(&mut reply).await.as_deref(), Some(": \n\n"));
        assert_eq!(since.elapsed(), HEARTBEAT);
        // Nobody reads meanwhile.
        (0..8).for_each(|_| ring.push(1, |number| number));
        let lost = next(&mut reply).await;
        assert_eq!(lost.as_deref(), Some("event: lost\ndata: {\"lost\":5}\n\n"));
        for number in [6, 8] {
            let text = format!("id: {}\ndata: {number}\n\n", ring.id(number));
            assert_eq!(next(&mut reply).await, Some(text));
        }
        ring.close();
        let end = next(&mut reply).await.expect("it says so");
        assert!(end.starts_with("event: end\ndata: {") && end.contains("E_STOPPING"), "{end}");
        assert_eq!(next(&mut reply).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_with_what_its_reader_may() {
        let (ring, mut reply, end) = stream();
        next(&mut reply).await;
        end.send(CallError::new(Code::Expired, "the token has expired")).expect("it waits");
        // Not even what is there already is sent.
        (0..4).for_each(|_| ring.push(1, |number| number));
        let end = next(&mut reply).await.expect("it says so");
        assert!(end.starts_with("event: end\n") && end.contains("E_EXPIRED"), "{end}");
        assert_eq!(next(&mut reply).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_the_turn_of_the_client_once_there_is_something_for_it() {
        let ring = Arc::new(Ring::new(Bounds { items_max: 3, bytes_max: 1_000 }));
        let (working, works) = Working::new();
        let outlet = Outlet {
            reader: Reader::new(&ring, (None, None), |_: &u64| true),
            is_meant: Box::new(|_| true),
            ends: Box::pin(std::future::pending()),
            _holds: None,
            working,
            metrics: Metrics::default(),
        };
        let mut reply = outlet.into_reply();
        next(&mut reply).await;
        assert!(!works.borrow().is_host(), "who does not take it is not waited for");
        let waits = tokio::spawn(async move { next(&mut reply).await });
        tokio::time::sleep(HEARTBEAT / 2).await;
        assert!(works.borrow().is_host(), "the host waits for news");
        waits.await.expect("a beat");
    }
}
