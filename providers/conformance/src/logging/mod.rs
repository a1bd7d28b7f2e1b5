//! The behavior of `wascc:logging`, as the contract's crate page states it.

use std::sync::Arc;

use trellis_capabilities::logging::{CONTRACT, Level, Line, WriteLog};
use trellis_providers_sdk::{Provider, Values};

use crate::suite::{self, Caller, Case};

/// The provider under test, and what it wrote.
#[derive(Clone)]
pub struct Subject {
    /// The provider.
    pub provider: Arc<dyn Provider>,
    /// Every record written so far.
    pub records: Arc<dyn Fn() -> Vec<Record> + Send + Sync>,
}

/// One record of the log behind the provider.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// How grave it is.
    pub level: Level,
    /// The text, as somebody who reads the log sees it.
    pub text: String,
}

/// Every rule of the contract.
pub const CASES: &[Case<Subject>] = &[
    Case { name: "a line keeps its level and its text", check: |s| Box::pin(levels(s)) },
    Case { name: "levels of other guests are read", check: |s| Box::pin(other_levels(s)) },
    Case { name: "a body cannot forge a record", check: |s| Box::pin(forgery(s)) },
    Case { name: "a long line is cut, which is no error", check: |s| Box::pin(long(s)) },
    Case { name: "anything else is refused", check: |s| Box::pin(refusals(s)) },
];

/// Runs the whole suite.
pub async fn run(subject: &Subject) {
    suite::run(CASES, subject).await;
}

async fn levels(subject: Subject) {
    let caller = bound(&subject).await;
    for level in [Level::Error, Level::Warn, Level::Info, Level::Debug, Level::Trace] {
        let line = Line { level, body: format!("a line of {level:?}"), target: None };
        caller.ask::<WriteLog>(&line).await.expect("a line is no error");
        assert_eq!(last(&subject), Record { level, text: line.body });
    }
}

async fn other_levels(subject: Subject) {
    let caller = bound(&subject).await;
    let forms: [(&[u8], Level); 5] = [
        (b"\x82\xa5level\x00\xa4body\xa1x", Level::Error),
        (b"\x82\xa5level\x09\xa4body\xa1x", Level::Trace),
        (b"\x82\xa5level\xa7WARNING\xa4text\xa1x", Level::Warn),
        (b"\x82\xa5level\xa5debug\xa4text\xa1x", Level::Debug),
        (b"\x82\xa5level\xa4loud\xa4text\xa1x", Level::Info),
    ];
    for (payload, level) in forms {
        let reply = caller.raw("WriteLog", payload).await.expect("a line is no error");
        assert!(reply.is_empty(), "the reply is empty");
        assert_eq!(last(&subject), Record { level, text: "x".to_owned() });
    }
}

async fn forgery(subject: Subject) {
    let caller = bound(&subject).await;
    let before = (subject.records)().len();
    let body = "one\r\ntwo\u{1b}[2J\u{2028}three".to_owned();
    let line = Line { level: Level::Info, body, target: Some("part\nof".to_owned()) };
    caller.ask::<WriteLog>(&line).await.expect("a line is no error");
    assert_eq!((subject.records)().len(), before + 1, "one line is one record");
    let text = last(&subject).text;
    assert!(["one", "two", "three"].iter().all(|part| text.contains(part)), "{text}");
    assert!(!text.contains(|c: char| c.is_control() || c == '\u{2028}'), "{text:?}");
}

async fn long(subject: Subject) {
    let caller = bound(&subject).await;
    let line = Line { level: Level::Info, body: "x".repeat(1 << 20), target: None };
    caller.ask::<WriteLog>(&line).await.expect("a line is no error");
    let text = last(&subject).text;
    assert!(text.starts_with("xxx") && text.len() < 64 << 10, "{} bytes", text.len());
}

async fn refusals(subject: Subject) {
    let caller = bound(&subject).await;
    caller.refuses_what_is_not_of_the_contract(&CONTRACT).await;
    caller.is_refused_after_its_end(&CONTRACT).await;
}

async fn bound(subject: &Subject) -> Caller {
    Caller::bind(&subject.provider, &CONTRACT, Values::default()).await
}

fn last(subject: &Subject) -> Record {
    (subject.records)().pop().expect("the line was written")
}
