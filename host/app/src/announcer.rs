//! What a host that runs says on stdout, without ever waiting for whoever reads it.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::output::{Form, document};

/// Lines that wait for a reader of stdout; one more is logged instead.
const LINES_WAITING_MAX: usize = 1024;
/// How long a host that ends waits for the reader of its last lines.
const FINISH_TIME_MAX: Duration = Duration::from_secs(1);

/// Says what happens, from a thread of its own. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Announcer {
    form: Form,
    lines: SyncSender<String>,
    /// Lines that are not written yet.
    waiting: Arc<watch::Sender<usize>>,
}

impl Announcer {
    /// Speaks in this form on stdout.
    pub(crate) fn start(form: Form) -> Self {
        Self::to(form, std::io::stdout())
    }

    fn to(form: Form, stream: impl Write + Send + 'static) -> Self {
        let (lines, queue) = sync_channel(LINES_WAITING_MAX);
        let waiting = Arc::<watch::Sender<usize>>::default();
        let left = Arc::clone(&waiting);
        let writer = std::thread::Builder::new().name("stdout".to_owned());
        // Without the thread nobody takes a line, and each is logged.
        if let Err(error) = writer.spawn(move || write_all(&queue, stream, &left)) {
            tracing::warn!(%error, "nothing is printed on stdout");
        }
        Self { form, lines, waiting }
    }

    /// An actor takes requests at `url` from now on.
    pub(crate) fn listening(&self, url: &str, actor: &str) {
        self.say(match self.form {
            Form::Text => format!("listening {url} -> {actor}"),
            Form::Json => document(json!({ "event": "listening", "url": url, "actor": actor })),
        });
    }

    /// The admin address answers from now on.
    pub(crate) fn admin(&self, address: SocketAddr) {
        let url = format!("http://{address}");
        self.say(match self.form {
            Form::Text => format!("admin     {url}"),
            Form::Json => document(json!({ "event": "admin", "url": url })),
        });
    }

    /// Waits until everything is written, within a bound.
    pub(crate) async fn finish(&self) {
        let mut waiting = self.waiting.subscribe();
        // Whoever does not read any more misses nothing; the sender lives as long as this.
        let _ = timeout(FINISH_TIME_MAX, waiting.wait_for(|waiting| *waiting == 0)).await;
    }

    fn say(&self, line: String) {
        self.waiting.send_modify(|waiting| *waiting += 1);
        if let Err(refused) = self.lines.try_send(line) {
            self.waiting.send_modify(|waiting| *waiting -= 1);
            tracing::warn!(line = %unsaid(refused), "nobody reads stdout; a line is not printed");
        }
    }
}

fn unsaid(refused: std::sync::mpsc::TrySendError<String>) -> String {
    use std::sync::mpsc::TrySendError::{Disconnected, Full};
    match refused {
        Full(line) | Disconnected(line) => line,
    }
}

fn write_all(queue: &Receiver<String>, mut stream: impl Write, left: &watch::Sender<usize>) {
    while let Ok(line) = queue.recv() {
        // Nobody listening is no failure.
        let _ = writeln!(stream, "{line}").and_then(|()| stream.flush());
        left.send_modify(|waiting| *waiting -= 1);
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;

    /// A pipe that is full until its gate is opened.
    struct Pipe {
        gate: Receiver<()>,
        content: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            // An error means that the gate is open for good.
            let _ = self.gate.recv();
            self.content.lock().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_full_pipe_holds_nobody() {
        let (open, gate) = sync_channel(0);
        let content = Arc::<Mutex<Vec<u8>>>::default();
        let pipe = Pipe { gate, content: Arc::clone(&content) };
        let announcer = Announcer::to(Form::Text, pipe);
        for _ in 0..LINES_WAITING_MAX * 2 {
            announcer.listening("http://127.0.0.1:1", "echo");
        }
        assert!(*announcer.waiting.borrow() <= LINES_WAITING_MAX + 1, "the rest is dropped");
        assert!(content.lock().is_empty());
        drop(open);
        announcer.finish().await;
        let said = String::from_utf8(content.lock().clone()).expect("text");
        assert!(said.starts_with("listening http://127.0.0.1:1 -> echo\n"), "{said}");
        assert!(said.lines().count() >= LINES_WAITING_MAX);
    }
}
