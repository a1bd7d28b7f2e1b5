//! Providers as processes, good ones and bad ones. This program is its own launcher and its own
//! providers, so it has its own main.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test program without a harness reports for itself"
)]

mod process {
    pub(crate) mod bad;
    pub(crate) mod bench;
    pub(crate) mod good;
    pub(crate) mod killed;
    pub(crate) mod life;
    pub(crate) mod starts;
    pub(crate) mod wire;
}

use std::process::ExitCode;

use process::{bad, bench, good, killed, life, starts, wire};

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let role = args.next().and_then(|role| role.into_string().ok()).unwrap_or_default();
    match role.as_str() {
        bench::LAUNCH => return trellis_targets::process::launcher_main(args),
        bench::GOOD => return good::main(),
        bench::HOST => return killed::host(args.next().unwrap_or_default()),
        bench::BAD => return bad::main(args.next().and_then(|how| how.into_string().ok())),
        // `cargo test -- --list` and filters of other programs' tests do not concern this one.
        "--list" => return ExitCode::SUCCESS,
        _ => {}
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        starts::all().await;
        wire::all().await;
        life::all().await;
        killed::all().await;
    });
    println!("the tests of providers as processes passed");
    ExitCode::SUCCESS
}
