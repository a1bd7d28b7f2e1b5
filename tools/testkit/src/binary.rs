//! The real `host` binary.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The `host` binary. Cargo builds it once for each test process, which is quick when it is fresh.
///
/// Cargo gives a test only the binaries of its own package, so this one is built with the command
/// of `make demo` and `make test`, whose build is reused that way. Tests in release mode, which
/// measure, get that of release mode.
pub fn host_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(build)
}

/// An example of the provider SDK, which is a program. Cargo builds it with the tests.
///
/// # Panics
/// When it is not there: `cargo test --workspace` builds it, a test of one package does not.
#[must_use]
pub fn example_program(name: &str) -> PathBuf {
    let program = host_binary().with_file_name("examples").join(name);
    assert!(
        program.exists(),
        "{} is not built: run `cargo build --workspace --examples`",
        program.display()
    );
    program
}

fn build() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--locked", "--bins"])
        .args((!cfg!(debug_assertions)).then_some("--release"))
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(repository())
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs these tests, so it exists");
    assert!(output.status.success(), "the host does not build; cargo's output is above");
    let messages = String::from_utf8_lossy(&output.stdout);
    messages.lines().find_map(executable).expect("cargo reports the binary it built")
}

fn executable(message: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    (message["target"]["name"] == "host")
        .then(|| message["executable"].as_str().map(PathBuf::from))?
}

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
