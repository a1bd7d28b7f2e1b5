//! The contract's behavior, seen in the log.

use std::io::Write;
use std::sync::{Arc, Mutex};

use trellis_capabilities_logging::Level;
use trellis_providers_conformance::logging::{self, Record, Subject};
use trellis_providers_logging::Logging;
use trellis_providers_sdk::Values;

/// A log in memory, a line of JSON for each record.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no test panics while it writes").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn in_the_hosts_log() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let records = move || {
        let bytes = log.0.lock().expect("no test panics while it writes").clone();
        String::from_utf8(bytes).expect("a log is text").lines().map(record).collect()
    };
    let subject =
        Subject { provider: Arc::new(Logging::new(Values::default())), records: Arc::new(records) };
    logging::run(&subject).await;
}

fn record(line: &str) -> Record {
    let json: serde_json::Value = serde_json::from_str(line).expect("a line is JSON");
    let level = match json["level"].as_str() {
        Some("ERROR") => Level::Error,
        Some("WARN") => Level::Warn,
        Some("INFO") => Level::Info,
        Some("DEBUG") => Level::Debug,
        other => {
            assert_eq!(other, Some("TRACE"));
            Level::Trace
        }
    };
    let text = json["fields"]["message"].as_str().expect("a record has a text");
    Record { level, text: text.to_owned() }
}
