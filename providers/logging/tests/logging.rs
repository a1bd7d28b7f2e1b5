//! What reaches the log, seen in the log.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use trellis_capabilities_logging::{CONTRACT, Level, Line, WriteLog};
use trellis_core::{ActorKey, BindingName, Code, OperationSpec, Trace};
use trellis_providers_logging::Logging;
use trellis_providers_sdk::{Binding, BindingId, Call, Provider, Reply, Values};

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().expect("no test panics while it writes").clone();
        String::from_utf8(bytes).expect("a log is text").lines().map(String::from).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no test panics while it writes").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_line_carries_its_level_and_who_wrote_it() {
    let (log, _guard) = capture();
    let logging = bound(&[]).await;
    for (level, shown) in [
        (Level::Error, "ERROR"),
        (Level::Warn, "WARN"),
        (Level::Info, "INFO"),
        (Level::Debug, "DEBUG"),
        (Level::Trace, "TRACE"),
    ] {
        write(&logging, level, "hello").await.expect("a line is no error");
        let line = log.lines().pop().expect("the line was written");
        for part in
            [shown, "hello", "\"target\":\"actor\"", "\"actor\":\"greeter\"", "\"key\":\"MTEST\""]
        {
            assert!(line.contains(part), "{part} in {line}");
        }
    }
    assert_eq!(log.lines().len(), 5);
}

#[tokio::test]
async fn a_body_can_not_forge_a_line_and_is_cut() {
    let (log, _guard) = capture();
    let logging = bound(&[]).await;
    write(&logging, Level::Info, "one\n{\"level\":\"ERROR\"}\u{1b}[2J").await.expect("no error");
    write(&logging, Level::Info, &"x".repeat(1 << 20)).await.expect("no error");
    let lines = log.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains(r"one\\n"), "the break is escaped: {}", lines[0]);
    assert!(!lines[0].contains('\u{1b}'));
    assert!(lines[1].len() < 9_000, "{} bytes", lines[1].len());
    assert!(counted(&logging).contains("logging_lines_cut_total 1"));
}

#[tokio::test]
async fn a_flood_is_dropped_and_counted() {
    let (log, _guard) = capture();
    let logging = bound(&[("LINES_PER_S", "1"), ("BURST_LINES", "10")]).await;
    for _ in 0..1_000 {
        write(&logging, Level::Info, "flood").await.expect("a dropped line is no error");
    }
    let lines = log.lines().len();
    assert!((10..20).contains(&lines), "{lines} lines");
    let counted = counted(&logging);
    assert!(!counted.contains("logging_lines_dropped_total 0"), "{counted}");
}

#[tokio::test]
async fn wrong_values_and_unknown_bindings_are_refused() {
    let logging = Logging::new(Values::default());
    let wrong = binding(&[("LINES_PER_S", "many")]);
    let error = logging.bind(wrong).await.expect_err("not a number");
    assert_eq!(error.code(), Code::Config, "{error}");
    let error = write(&logging, Level::Info, "x").await.expect_err("never bound");
    assert_eq!(error.code(), Code::NotFound, "{error}");
}

fn capture() -> (Log, tracing::subscriber::DefaultGuard) {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    (log, tracing::subscriber::set_default(subscriber))
}

async fn bound(values: &[(&str, &str)]) -> Logging {
    let logging = Logging::new(Values::default());
    logging.bind(binding(values)).await.expect("the values are right");
    logging
}

fn binding(values: &[(&str, &str)]) -> Binding {
    Binding {
        id: BindingId(1),
        actor: ActorKey::new("MTEST"),
        actor_name: "greeter".to_owned(),
        contract: CONTRACT.id,
        name: BindingName::default(),
        payload_bytes_max: 17 << 20,
        values: values.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
    }
}

async fn write(logging: &Logging, level: Level, body: &str) -> Reply {
    let line = Line { level, body: body.to_owned(), target: Some("part".to_owned()) };
    let call = Call {
        binding: BindingId(1),
        operation: WriteLog::NAME.into(),
        payload: WriteLog::encode_input(&line).into(),
        remaining: Duration::ZERO,
        trace: Trace::default(),
        depth: 0,
    };
    logging.call(call).await
}

fn counted(logging: &Logging) -> String {
    logging.samples().iter().map(|sample| format!("{sample}\n")).collect()
}
