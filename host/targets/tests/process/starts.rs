//! What is found out of a command, and what is said of one that is of no use.

use std::sync::Arc;

use futures_util::future::join_all;
use trellis_artifacts::ProgramCache;
use trellis_core::Code;
use trellis_providers_sdk::{Place, ValueProblem, Values, Wanted};
use trellis_targets::process::ProcessCommand;

use super::bench::{
    BAD, GOOD, PATIENCE, Sdk, ask, binding, command, factory, good, made, made_of, make, processes,
    script, script_of, until_gone,
};

pub(crate) async fn all() {
    a_command_is_what_it_says().await;
    one_that_is_known_is_not_started_again().await;
    it_is_given_what_was_named_and_no_more().await;
    what_is_of_no_use_is_refused_with_its_reason().await;
    one_that_changes_is_not_made().await;
    only_the_program_that_was_signed_is_started().await;
    one_that_a_script_started_comes_in_its_place().await;
    what_only_a_shell_would_run_is_not_started().await;
    one_that_was_just_written_is_started().await;
    the_file_of_a_program_stays_while_it_may_be_started_again().await;
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
    assert!(error.message().contains("/no/such/program: there is no such program"), "{error}");
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

/// The shell leads the session, and its child says hello. A stranger does not come in: `door.rs`.
async fn one_that_a_script_started_comes_in_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = command(&[]).program;
    let lines = format!("{} {GOOD}\nexit $?", own.display());
    let command = script_of(folder.path(), &lines);
    let provider = made_of(command, Arc::default()).await.expect("its child says hello");
    provider.bind(binding(1, "hello")).await.expect("is bound");
    assert_eq!(ask(&provider, "Greet", "").await.expect("answers"), "hello");
    let stat = ask(&provider, "Read", "/proc/self/stat").await.expect("answers");
    let fields: Vec<_> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    let (pid, session) = (stat.split(' ').next().expect("a number"), fields[3]);
    assert_ne!(pid, session, "it does not lead the session");
    drop(provider);
    until_gone(pid).await;
    until_gone(session).await;
}

/// The C library would give it to /bin/sh.
async fn what_only_a_shell_would_run_is_not_started() {
    let folder = tempfile::tempdir().expect("a folder");
    let foreign = [&b"\x7fELF\x02\x01"[..], &[0; 12], b"\xff\xff", b"\ntouch it-ran\n"].concat();
    for (content, why) in [
        (&b"touch it-ran\n"[..], "neither an ELF program nor a script"),
        (b"", "neither an ELF program nor a script"),
        (&foreign, "for another kind of machine"),
    ] {
        let command = script(folder.path(), "");
        std::fs::write(&command.program, content).expect("it is written");
        // By its path, and as a name that is looked for.
        let environment = [("PATH".into(), folder.path().into())].into();
        let named = ProcessCommand { program: "provider".into(), environment, ..command.clone() };
        for command in [command, named] {
            let error = processes().factory("test", command).await.err().expect("it is refused");
            assert_eq!(error.code(), Code::Provider);
            assert!(error.message().contains(why), "{why}: {error}");
        }
    }
    assert!(!folder.path().join("it-ran").exists());
}

/// Another process that is being started still has the file as whoever wrote it had it.
async fn one_that_was_just_written_is_started() {
    let folder = tempfile::tempdir().expect("a folder");
    let command = script(folder.path(), "");
    let program = command.program.clone();
    let written = || std::fs::File::options().append(true).open(&program).expect("it is ours");
    let busy = written();
    let error = processes().factory("test", command.clone()).await.err().expect("it is busy");
    assert!(error.message().contains("busy"), "{error}");
    let soon = async {
        let launched = || starting(&program);
        while !launched() {
            tokio::task::yield_now().await;
        }
        drop(busy);
    };
    let processes = processes();
    let (started, ()) = tokio::join!(processes.factory("test", command), soon);
    assert!(started.is_ok(), "{:?}", started.err());
}

/// True while a process has this program among its words.
fn starting(program: &std::path::Path) -> bool {
    let processes = std::fs::read_dir("/proc").expect("the processes");
    processes.flatten().any(|process| {
        let words = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&words).contains(&*program.to_string_lossy())
    })
}

async fn the_file_of_a_program_stays_while_it_may_be_started_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = command(&[]).program;
    let program = format!("#!/bin/sh\nexec {} {GOOD}\n", own.display());
    let digest = trellis_claims::hash::digest(program.as_bytes());
    let cache = ProgramCache::new(folder.path().to_owned());
    let kept = Arc::new(cache.keep(&digest, program.as_bytes()).expect("it is kept"));
    let still = Arc::downgrade(&kept);
    let program = kept.path().to_owned();
    let signed = ProcessCommand { program, digest: Some(digest), ..command(&[]) };
    let processes = processes();
    let factory = processes.factory_of("test", (signed, Some(kept))).await.expect("says hello");
    let provider = make(&*factory).await.expect("it is made");
    drop(factory);
    assert!(still.upgrade().is_some(), "the next process is started from it");
    provider.shutdown(PATIENCE).await;
    drop(provider);
    let free = async {
        while still.upgrade().is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, free).await.expect("nobody has it any more");
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
    let command = script(folder.path(), "echo x >> starts");
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
