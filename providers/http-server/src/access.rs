//! The access log: a line on standard output for each request, which a thread of its own writes, so
//! that no request waits for whoever reads it.
//!
//! It is not part of the host's own log on purpose: what reads access logs wants nothing but such
//! lines, in the form it knows.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use http::{Version, request};
use tokio::sync::oneshot;
use trellis_core::{Code, Trace};
use trellis_providers_sdk::{Counter, LineWriter, Unlocked};

use crate::config::limits::AccessForm;
use crate::moment::Moment;

/// Most lines that wait to be written; further ones are dropped and counted.
const LINES_MAX: usize = 8_192;
/// Bytes of lines that wait to be written from which on further lines are dropped and counted.
const WAITING_BYTES_MAX: usize = 4 << 20;
/// Most bytes of a method, a path or a query that a line tells.
const TOLD_BYTES_MAX: usize = 2 << 10;
/// What stands for the rest.
const CUT: &str = "...";
/// Most bytes written at once.
const WRITTEN_MAX: usize = 64 << 10;

/// Where lines go. Cheap to clone; the thread starts with the first line.
#[derive(Clone, Default, Debug)]
pub(crate) struct AccessLog {
    lines: Arc<OnceLock<SyncSender<Item>>>,
    /// Bytes of the lines that wait.
    waiting: Arc<AtomicUsize>,
    /// Lines that nobody read in time, or that could not be written.
    dropped: Counter,
}

#[derive(Debug)]
enum Item {
    Line(String),
    /// Once everything before this is written, the sender is told.
    Flush(oneshot::Sender<()>),
}

/// What is told of a request.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) peer: SocketAddr,
    /// `None` when no request could be read.
    pub(crate) head: Option<&'a request::Parts>,
    /// Whether the query is told too; it may hold secrets.
    pub(crate) with_query: bool,
    pub(crate) status: u16,
    /// Bytes of the answer's body.
    pub(crate) bytes: u64,
    /// The time from the end of the request's header to its answer.
    pub(crate) duration: Duration,
    pub(crate) actor: Option<&'a str>,
    /// The code of an answer the server made itself.
    pub(crate) code: Option<Code>,
    pub(crate) trace: Option<Trace>,
}

impl AccessLog {
    /// Writes a line, or drops it when nobody reads fast enough.
    pub(crate) fn write(&self, form: AccessForm, entry: &Entry<'_>) {
        // Looked at before there is a line. Each thread may be one line past it, which is short.
        // Relaxed, here and below: a count of its own, which orders nothing else.
        let full = self.waiting.load(Ordering::Relaxed) >= WAITING_BYTES_MAX;
        if full && form != AccessForm::Off {
            return self.dropped.inc();
        }
        #[expect(clippy::disallowed_methods, reason = "the time on a line decides about nothing")]
        let now = Moment::of(SystemTime::now());
        let line = match form {
            AccessForm::Off => return,
            AccessForm::Common => entry.common(now),
            AccessForm::Json => entry.json(now),
        };
        let bytes = line.len();
        self.waiting.fetch_add(bytes, Ordering::Relaxed);
        if self.sender().try_send(Item::Line(line)).is_err() {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
            self.dropped.inc();
        }
    }

    /// Lines that were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.get()
    }

    /// Waits until everything so far is written.
    pub(crate) async fn flush(&self) {
        let Some(sender) = self.lines.get() else { return };
        let (written, done) = oneshot::channel();
        let mut item = Item::Flush(written);
        while let Err(TrySendError::Full(back)) = sender.try_send(item) {
            item = back;
            tokio::task::yield_now().await;
        }
        let _ = done.await;
    }

    fn sender(&self) -> &SyncSender<Item> {
        self.lines.get_or_init(|| {
            let (sender, items) = sync_channel(LINES_MAX);
            let thread = std::thread::Builder::new().name("access-log".to_owned());
            let (waiting, lost) = (Arc::clone(&self.waiting), self.dropped.clone());
            if let Err(error) = thread.spawn(move || write_all(&items, &waiting, &lost)) {
                // The queue has no reader then: every line counts as dropped.
                tracing::error!(%error, "the access log has no thread to write it");
            }
            sender
        })
    }
}

fn write_all(items: &Receiver<Item>, waiting: &AtomicUsize, lost: &Counter) {
    let mut out = LineWriter::new(Unlocked(std::io::stdout()));
    // Not told yet.
    let mut untold = 0;
    let mut lines = String::new();
    let mut flushed = Vec::new();
    while let Ok(first) = items.recv() {
        let mut next = Some(first);
        while let Some(item) = next {
            match item {
                Item::Line(line) => lines.push_str(&line),
                Item::Flush(done) => flushed.push(done),
            }
            next = (lines.len() < WRITTEN_MAX).then(|| items.try_recv().ok()).flatten();
        }
        match out.write(lines.as_bytes()) {
            Ok(()) if untold > 0 && !lines.is_empty() => {
                tracing::warn!(
                    lines = untold,
                    "lines of the access log were lost while stdout could not be written to"
                );
                untold = 0;
            }
            Ok(()) => {}
            // A closed standard output stops nobody.
            Err(failed) => {
                lost.add(failed.lines);
                untold += failed.lines;
            }
        }
        waiting.fetch_sub(lines.len(), Ordering::Relaxed);
        lines.clear();
        for done in flushed.drain(..) {
            // Whoever gave up waiting needs no word.
            let _ = done.send(());
        }
    }
}

impl Entry<'_> {
    /// The Common Log Format, with the actor, the seconds and the trace id behind it.
    fn common(&self, now: Moment) -> String {
        let mut line = String::with_capacity(160);
        let _ = write!(line, "{} - - [{}] \"", self.peer.ip(), now.common());
        match self.head {
            Some(head) => {
                escape(&told(head.method.as_str()), &mut line);
                line.push(' ');
                escape(&told(head.uri.path()), &mut line);
                if let Some(query) = self.query() {
                    line.push('?');
                    escape(&query, &mut line);
                }
                let _ = write!(line, " {}", protocol(head.version));
            }
            None => line.push('-'),
        }
        let _ = write!(line, "\" {} {} \"", self.status, self.bytes);
        escape(self.actor.unwrap_or("-"), &mut line);
        let _ = write!(line, "\" {:.6} ", self.duration.as_secs_f64());
        match self.trace {
            Some(trace) => drop(write!(line, "{:032x}", trace.trace_id())),
            None => line.push('-'),
        }
        line.push('\n');
        line
    }

    fn json(&self, now: Moment) -> String {
        let mut line = serde_json::json!({
            "time": now.rfc3339(),
            "client": self.peer.ip().to_string(),
            "status": self.status,
            "bytes": self.bytes,
            "seconds": (self.duration.as_secs_f64() * 1e6).round() / 1e6,
            "actor": self.actor,
            "code": self.code.map(|code| code.as_str()),
            "trace_id": self.trace.map(|trace| format!("{:032x}", trace.trace_id())),
            "method": self.head.map(|head| told(head.method.as_str())),
            "path": self.head.map(|head| told(head.uri.path())),
            "protocol": self.head.map(|head| protocol(head.version)),
        });
        if let Some(query) = self.query() {
            line["query"] = query.into();
        }
        let mut line = line.to_string();
        line.push('\n');
        line
    }

    fn query(&self) -> Option<Cow<'_, str>> {
        self.head?.uri.query().filter(|_| self.with_query).map(told)
    }
}

const fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}

/// As much of a client's text as a line tells.
fn told(text: &str) -> Cow<'_, str> {
    if text.len() <= TOLD_BYTES_MAX {
        return text.into();
    }
    (text[..text.floor_char_boundary(TOLD_BYTES_MAX)].to_owned() + CUT).into()
}

/// Text between quotes: what could end them, or the line, or is no plain ASCII becomes `\xHH`.
fn escape(text: &str, into: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' | ..=0x1f | 0x7f.. => drop(write!(into, "\\x{byte:02X}")),
            byte => into.push(char::from(byte)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio, exit};

    use http::Request;

    use super::*;

    const MOMENT: Duration = Duration::from_millis(1_792_000_000_123);

    fn lines(entry: &Entry<'_>) -> (String, serde_json::Value) {
        let moment = Moment::of(SystemTime::UNIX_EPOCH + MOMENT);
        let (common, json) = (entry.common(moment), entry.json(moment));
        assert!(common.ends_with('\n') && json.ends_with('\n'));
        assert!(common.lines().count() == 1 && json.lines().count() == 1);
        (common, serde_json::from_str(&json).expect("JSON"))
    }

    fn head(target: &str) -> request::Parts {
        let request = Request::get(target).header("authorization", "Bearer secret");
        request.body(()).expect("legal").into_parts().0
    }

    fn entry(head: Option<&request::Parts>) -> Entry<'_> {
        Entry {
            peer: "[::1]:4711".parse().expect("an address"),
            head,
            with_query: false,
            status: 200,
            bytes: 12,
            duration: Duration::from_micros(1_500),
            actor: Some("a \"b\""),
            code: None,
            trace: Trace::from_traceparent(
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            ),
        }
    }

    #[test]
    fn a_request_is_one_line_without_secrets() {
        let head = head("/a%20b/%22?token=secret");
        let (common, json) = lines(&entry(Some(&head)));
        assert_eq!(
            common,
            "::1 - - [14/Oct/2026:17:46:40 +0000] \"GET /a%20b/%22 HTTP/1.1\" 200 12 \
             \"a \\x22b\\x22\" 0.001500 0af7651916cd43dd8448eb211c80319c\n"
        );
        let expected = serde_json::json!({
            "time": "2026-10-14T17:46:40.123Z", "client": "::1", "method": "GET",
            "path": "/a%20b/%22", "protocol": "HTTP/1.1", "status": 200, "bytes": 12,
            "seconds": 0.0015, "actor": "a \"b\"", "code": null,
            "trace_id": "0af7651916cd43dd8448eb211c80319c",
        });
        assert_eq!(json, expected);
        let (common, json) = lines(&Entry { with_query: true, ..entry(Some(&head)) });
        assert!(common.contains("/a%20b/%22?token=secret HTTP/1.1"), "{common}");
        assert_eq!(json["query"], "token=secret");
    }

    #[test]
    fn what_could_not_be_read_is_told_as_such() {
        let code = Some(Code::Message);
        let entry = Entry { actor: None, trace: None, status: 400, code, ..entry(None) };
        let (common, json) = lines(&entry);
        assert!(common.ends_with("\"-\" 400 12 \"-\" 0.001500 -\n"), "{common}");
        assert_eq!(
            (&json["method"], &json["code"]),
            (&serde_json::Value::Null, &"E_MESSAGE".into())
        );
    }

    #[test]
    fn a_long_request_is_a_short_line() {
        let long = "/".to_owned() + &"\u{e9}".repeat(20_000);
        let head = head(&format!("{long}?{}", "q".repeat(20_000)));
        let (common, json) = lines(&Entry { with_query: true, ..entry(Some(&head)) });
        assert!(common.len() < 5 * 2 * TOLD_BYTES_MAX, "{} bytes", common.len());
        let path = json["path"].as_str().expect("a path");
        assert_eq!(path, long[..TOLD_BYTES_MAX - 1].to_owned() + CUT, "whole characters");
        assert_eq!(json["query"], "q".repeat(TOLD_BYTES_MAX) + CUT);
    }

    #[test]
    fn lines_that_wait_are_bounded_in_bytes() {
        let log = AccessLog::default();
        // A queue without a thread that would empty it.
        let (sender, items) = sync_channel(LINES_MAX);
        log.lines.set(sender).expect("the first");
        let head = head(&("/".to_owned() + &"a".repeat(20_000)));
        while log.dropped() == 0 {
            log.write(AccessForm::Common, &entry(Some(&head)));
        }
        let waits = log.waiting.load(Ordering::Relaxed);
        assert!((WAITING_BYTES_MAX..WAITING_BYTES_MAX + 2 * TOLD_BYTES_MAX).contains(&waits));
        let item = items.try_recv().expect("a line");
        let Item::Line(line) = item else { panic!("a line") };
        assert!(waits / line.len() < LINES_MAX, "it was not the count of lines");
    }

    /// The process of the test below whose standard output nobody reads.
    const UNREAD: &str = "TRELLIS_TEST_UNREAD_ACCESS_LOG";

    #[test]
    fn an_unread_pipe_keeps_nobody_else_from_standard_output() {
        if std::env::var_os(UNREAD).is_none() {
            let test = std::env::current_exe().expect("a program");
            let name = "access::tests::an_unread_pipe_keeps_nobody_else_from_standard_output";
            let mut unread = Command::new(test);
            unread.args(["--exact", name, "--nocapture"]).env(UNREAD, "1").stdout(Stdio::piped());
            let mut unread = unread.spawn().expect("starts");
            let status = {
                let _pipe = unread.stdout.take();
                unread.wait().expect("ends")
            };
            return assert!(status.success(), "the lock of standard output was held: {status}");
        }
        let log = AccessLog::default();
        while log.dropped() == 0 {
            log.write(AccessForm::Common, &entry(None));
        }
        let (locked, waits) = sync_channel(1);
        std::thread::spawn(move || {
            drop(std::io::stdout().lock());
            locked.send(())
        });
        let failed = waits.recv_timeout(Duration::from_secs(10)).is_err();
        #[expect(clippy::disallowed_methods, reason = "returning would write to the full pipe")]
        exit(i32::from(failed));
    }

    #[test]
    fn nothing_ends_a_quote_or_a_line() {
        let mut line = String::new();
        escape("a\"b\\c\r\n\u{e9}\u{7f} ~", &mut line);
        assert_eq!(line, "a\\x22b\\x5Cc\\x0D\\x0A\\xC3\\xA9\\x7F ~");
    }
}
