//! What is found out of a command, and what is said of one that is of no use.

use futures_util::future::join_all;
use trellis_core::Code;
use trellis_providers_sdk::{Place, ValueProblem, Values, Wanted};
use trellis_targets::process::ProcessCommand;

use super::bench::{BAD, GOOD, Sdk, ask, command, factory, good, made, processes, script};

pub(crate) async fn all() {
    a_command_is_what_it_says().await;
    one_that_is_known_is_not_started_again().await;
    it_is_given_what_was_named_and_no_more().await;
    what_is_of_no_use_is_refused_with_its_reason().await;
    one_that_changes_is_not_made().await;
    only_the_program_that_was_signed_is_started().await;
    for sdk in Sdk::ALL {
        values_are_judged_by_the_program(sdk).await;
    }
    what_is_right_is_not_asked_again().await;
    one_that_does_not_judge_is_told().await;
}

async fn a_command_is_what_it_says() {
    let factory = factory(&[GOOD]).await.expect("it says hello");
    let descriptor = factory.descriptor();
    assert_eq!((&*descriptor.name, &*descriptor.version), ("good", "1.0.0"));
    assert!(descriptor.contract("test:good").is_some());
}

async fn one_that_is_known_is_not_started_again() {
    let processes = processes();
    let first = processes.factory("test", command(&[BAD, "liar"])).await.expect("says hello");
    let second = processes.factory("test", command(&[BAD, "liar"])).await.expect("is known");
    // It says something else each time that it is started.
    assert_eq!(first.descriptor(), second.descriptor());
    assert_eq!(first.build(), second.build());
    let other = processes.factory("test", command(&[GOOD])).await.expect("says hello");
    assert_ne!(first.build(), other.build());
}

async fn it_is_given_what_was_named_and_no_more() {
    let provider = good().await;
    assert_eq!(ask(&provider, "Variables", "").await.expect("answers"), "NAMED PATH");
    let status = ask(&provider, "Read", "/proc/self/status").await.expect("answers");
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    let limits = ask(&provider, "Read", "/proc/self/limits").await.expect("answers");
    let limit = |name: &str| {
        let line = limits.lines().find(|line| line.starts_with(name)).expect("a limit");
        line[name.len()..].split_whitespace().next().expect("a number").to_owned()
    };
    assert_eq!(limit("Max open files"), "200");
    assert_eq!(limit("Max data size"), (1_u64 << 30).to_string());
    assert_eq!(limit("Max core file size"), "0");
}

async fn what_is_of_no_use_is_refused_with_its_reason() {
    let cases = [
        ("silent", "did not say hello within"),
        (
            "exits",
            "ended (exit status: 3) before it said hello; it wrote: Error: it has no license",
        ),
        ("closes", "before it said hello"),
        ("no-token", "without the token it was given"),
        ("old", "speaks protocol 7; this host speaks 1"),
        ("serves-nothing", "serves 0 contracts"),
        ("nameless", "a name that is none"),
        ("implicit", "only a built-in provider"),
        ("long-hello", "a frame of 2097152 bytes; at most 1048576 may come"),
        ("shy", "something else before hello"),
    ];
    let tried = cases.map(|(how, why)| async move {
        let error = factory(&[BAD, how]).await.err().unwrap_or_else(|| panic!("{how} is refused"));
        assert_eq!(error.code(), Code::Provider, "{how}");
        assert!(error.message().contains(why), "{how}: {error}");
    });
    join_all(tried).await;
    let nowhere = ProcessCommand { program: "/no/such/program".into(), ..command(&[]) };
    let error = processes().factory("test", nowhere).await.err().expect("there is none");
    assert!(error.message().contains("could not be started"), "{error}");
    assert!(error.message().contains("/no/such/program: No such file"), "{error}");
}

async fn one_that_changes_is_not_made() {
    let error = made(&[BAD, "liar"]).await.err().expect("it is another one by now");
    assert_eq!(error.code(), Code::Config);
    assert!(error.message().contains("another provider than it was"), "{error}");
}

async fn only_the_program_that_was_signed_is_started() {
    let program = std::fs::read(command(&[]).program).expect("this program");
    let digest = Some(trellis_claims::hash::digest(&program));
    let signed = ProcessCommand { digest, ..command(&[GOOD]) };
    processes().factory("test", signed).await.expect("it is that one");
    let changed = ProcessCommand { digest: Some([7; 32]), ..command(&[GOOD]) };
    let error = processes().factory("test", changed).await.err().expect("it is another one");
    assert_eq!(error.code(), Code::Provider);
    assert!(error.message().contains("is not the program that was signed"), "{error}");
}

fn wanted(greeting: &str) -> Wanted {
    let values = Values::default().with("GREETING", greeting);
    Wanted { values, ..Wanted::default() }
}

async fn values_are_judged_by_the_program(sdk: Sdk) {
    let factory = sdk.factory().await;
    assert_eq!(factory.check(&wanted("hello")).await, Ok(Vec::new()));
    // The second time it is another process.
    for _ in 0..2 {
        let found = factory.check(&wanted("wrong")).await.expect("it answers");
        let [ValueProblem { place: Place::Provider, error }] = &found[..] else {
            panic!("one problem: {found:?}")
        };
        let said = (&*error.key, &*error.message, error.help.as_deref());
        assert_eq!(said, ("GREETING", "GREETING is wrong", Some("greet")));
    }
}

async fn what_is_right_is_not_asked_again() {
    let (processes, folder) = (processes(), tempfile::tempdir().expect("a folder"));
    let command = script(&folder, "echo x >> starts");
    let starts = || std::fs::read(folder.path().join("starts")).expect("it started").len() / 2;
    for (greeting, expected) in [("one", 1), ("one", 1), ("two", 2), ("wrong", 3), ("wrong", 4)] {
        let factory = processes.factory("test", command.clone()).await.expect("it says hello");
        factory.check(&wanted(greeting)).await.expect("it answers");
        assert_eq!(starts(), expected, "{greeting}");
    }
}

async fn one_that_does_not_judge_is_told() {
    let cases = [
        ("check-dies", "it closed the connection; it wrote: error: no idea"),
        ("check-garbage", "what it sent cannot be read"),
        ("check-ready", "gave the wrong answer"),
        ("check-fails", "whether its values are right: it has no license"),
        ("check-silent", "it did not answer within 8 s"),
    ];
    let tried = cases.map(|(how, why)| async move {
        let factory = factory(&[BAD, how]).await.expect("it says hello");
        let error = factory.check(&wanted("")).await.expect_err(how);
        assert!(error.message().contains(why), "{how}: {error}");
    });
    join_all(tried).await;
    // No actor is there yet, and nothing else happens.
    let factory = factory(&[BAD, "check-invokes"]).await.expect("it says hello");
    assert_eq!(factory.check(&wanted("")).await, Ok(Vec::new()));
}
