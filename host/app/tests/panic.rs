//! What becomes of a panic.

use std::process::Command;

use trellis_app::args::LogFormat;
use trellis_app::logging;

/// Tells the process that the test starts that it is that one.
const CHILD: &str = "TRELLIS_TEST_PANICS";

#[test]
fn a_panic_is_an_event_of_the_log() {
    let mut child = Command::new(std::env::current_exe().expect("a test is a program"));
    child.args(["--exact", "child_that_panics", "--ignored", "--nocapture"]);
    let output = child.env(CHILD, "1").env_remove("RUST_BACKTRACE").output().expect("it runs");
    let log = String::from_utf8_lossy(&output.stderr);
    let event = log.lines().find(|line| line.contains("the reason")).expect("it is logged");
    let event: serde_json::Value = serde_json::from_str(event).expect("a line of the log");
    assert_eq!(event["level"], "ERROR", "{log}");
    assert!(event["message"].as_str().is_some_and(|told| told.contains("panic.rs:")), "{log}");
    assert_eq!(log.matches("the reason").count(), 1, "it is told once: {log}");
}

#[test]
#[ignore = "runs in a process of its own, which changes what a panic does"]
fn child_that_panics() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    logging::start("info", Some(LogFormat::Json)).expect("a good filter");
    let panicked = std::thread::spawn(|| panic!("the reason")).join();
    assert!(panicked.is_err());
    logging::finish();
}
