//! What a host that runs says on stdout, without ever waiting for whoever reads it.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use trellis_control::Address;
use trellis_providers_sdk::Unlocked;

use crate::line_queue::{LineQueue, Loss};
use crate::metrics::lines_lost;
use crate::output::{Form, document};

/// How long a host that ends waits for the reader of its last lines.
const FINISH_TIME_MAX: Duration = Duration::from_secs(1);

/// Says what happens. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Announcer {
    form: Form,
    lines: LineQueue,
}

impl Announcer {
    /// Speaks in this form on stdout.
    pub(crate) fn start(form: Form) -> Self {
        Self::to(form, Unlocked(std::io::stdout()))
    }

    fn to(form: Form, stream: impl Write + Send + 'static) -> Self {
        let flows = |Loss { lines, error }| {
            // Without an error the lines were dropped, and each was logged at that time.
            if let Some(error) = error {
                tracing::warn!(lines, %error, "lines were lost while stdout could not be written to");
            }
        };
        Self { form, lines: LineQueue::start("stdout", stream, lines_lost("stdout"), flows) }
    }

    /// An actor takes requests at this address from now on.
    pub(crate) fn listening(&self, address: &Address) {
        let Address { url, socket, actor } = address;
        self.say(match self.form {
            Form::Text => format!("listening {url} -> {}", actor.as_str()),
            Form::Json => document(json!({
                "event": "listening", "url": url, "socket": socket, "actor": actor.as_str(),
            })),
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

    /// Waits until everything is written, within a bound. Blocks.
    pub(crate) fn finish(&self) {
        self.lines.finish(FINISH_TIME_MAX);
    }

    fn say(&self, line: String) {
        if !self.lines.say(format!("{line}\n").as_bytes()) {
            tracing::warn!(%line, "nobody reads stdout; a line is not printed");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::line_queue::tests::Pipe;

    #[test]
    fn a_full_pipe_holds_nobody() {
        let (pipe, written, open) = Pipe::full();
        let announcer = Announcer::to(Form::Text, pipe);
        let (url, socket) = ("http://127.0.0.1:1".to_owned(), ([127, 0, 0, 1], 1).into());
        let address = Address { url, socket, actor: Arc::<str>::from("echo").into() };
        // Far more than may wait.
        for _ in 0..100_000 {
            announcer.listening(&address);
        }
        assert_eq!(written.text(), "");
        drop(open);
        announcer.finish();
        let said = written.text();
        assert!(said.starts_with("listening http://127.0.0.1:1 -> echo\n"), "{said}");
    }
}
