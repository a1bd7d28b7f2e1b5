//! A user with a home of their own, and the binary they run.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// A home folder, with a keystore, that nothing else uses.
pub(crate) struct Sandbox {
    home: tempfile::TempDir,
}

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self { home: tempfile::tempdir().expect("a temporary folder") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.path("keys")
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("our own folder");
        path
    }

    /// A program. Another process writes it: what this one had open for writing, whoever is being
    /// started meanwhile by another test would have as well, and a file that somebody may write to
    /// is not run.
    pub(crate) fn program(&self, name: &str, script: &str) {
        let mut install = Command::new("install");
        install.args(["-m", "700", "/dev/stdin"]).arg(self.path(name)).stdin(Stdio::piped());
        let mut install = install.spawn().expect("install is there");
        let mut stdin = install.stdin.take().expect("it is piped");
        stdin.write_all(script.as_bytes()).expect("it reads");
        drop(stdin);
        assert!(install.wait().expect("it ends").success());
    }

    /// Runs `trellis` and checks what holds for every run: no seed is shown, and under `-o json`
    /// stdout is JSON.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Ran {
        self.run_with(args, b"")
    }

    /// As [`Sandbox::run`], with something on stdin.
    pub(crate) fn run_with<S: AsRef<OsStr>>(&self, args: &[S], stdin: &[u8]) -> Ran {
        let ran = self.run_revealing(args, stdin);
        let shown = String::from_utf8_lossy(&ran.stdout).into_owned() + &ran.stderr;
        for seed in self.seeds() {
            assert!(!shown.contains(&seed), "a seed was shown");
        }
        ran
    }

    /// As [`Sandbox::run_with`], for the one command that may show a seed.
    pub(crate) fn run_revealing<S: AsRef<OsStr>>(&self, args: &[S], stdin: &[u8]) -> Ran {
        self.run_in(&[], args, stdin)
    }

    /// The same with other variables in its environment.
    pub(crate) fn run_in<S: AsRef<OsStr>>(
        &self,
        variables: &[(&str, &str)],
        args: &[S],
        stdin: &[u8],
    ) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trellis"));
        command.args(args).current_dir(self.home.path());
        let passed = ["PATH", "LD_LIBRARY_PATH", "LLVM_PROFILE_FILE"];
        command.env_clear().envs(std::env::vars().filter(|(name, _)| passed.contains(&&**name)));
        command.env("HOME", self.home.path()).env("TRELLIS_KEYS", self.keys());
        command.env("TRELLIS_RUNTIME_DIR", self.home.path().join("trellis"));
        command.envs(variables.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary was just built");
        // A command that reads no stdin may be gone already.
        let _ = child.stdin.take().expect("it was piped").write_all(stdin);
        let done = child.wait_with_output().expect("it ran");
        Ran {
            code: done.status.code().expect("it was not killed"),
            stdout: done.stdout,
            stderr: String::from_utf8(done.stderr).expect("messages are text"),
        }
    }

    /// Every seed in the keystore.
    pub(crate) fn seeds(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.keys()).into_iter().flatten();
        let files = files.map(|file| file.expect("a readable folder").path());
        files.filter_map(|path| std::fs::read_to_string(path).ok()).collect()
    }

    /// Signs a module, which must work, and gives the signed file.
    pub(crate) fn signed(&self, name: &str, module: &[u8], options: &[&str]) -> PathBuf {
        let file = self.write(&format!("{name}.wasm"), module);
        let args: Vec<&OsStr> = [OsStr::new("sign"), file.as_os_str()]
            .into_iter()
            .chain(options.iter().map(OsStr::new))
            .collect();
        self.run(&args).ok();
        self.path(&format!("{name}_s.wasm"))
    }
}

impl Ran {
    /// Success, with stdout as text.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        String::from_utf8(self.stdout).expect("text")
    }

    /// Success, with stdout as one JSON document.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        let document: Value = serde_json::from_str(&self.ok()).expect("one JSON document");
        assert_eq!(document["schemaVersion"], 1);
        document
    }

    /// Failure with this exit code and error code, for people: nothing on stdout, help on stderr.
    #[track_caller]
    pub(crate) fn fails(self, exit: i32, code: &str) -> String {
        assert_eq!(self.code, exit, "{self:?}");
        assert!(self.stdout.is_empty(), "{self:?}");
        assert!(self.stderr.contains(&format!("error[{code}]: ")), "{self:?}");
        assert!(self.stderr.contains("  help: "), "{self:?}");
        assert!(!self.stderr.contains(&format!("{code}: ")), "the code twice: {self:?}");
        self.stderr
    }

    /// Failure with this exit code and error code, for programs: the error is JSON on stdout.
    #[track_caller]
    pub(crate) fn fails_json(self, exit: i32, code: &str) -> Value {
        assert_eq!(self.code, exit, "{self:?}");
        let document: Value = serde_json::from_slice(&self.stdout).expect("one JSON document");
        let error = &document["error"];
        assert_eq!(error["code"], code, "{document}");
        assert_eq!(error["exit"], exit, "{document}");
        for field in ["message", "cause", "cure"] {
            assert!(error[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {error}");
        }
        document
    }
}

/// A path as an argument.
pub(crate) fn arg(path: &Path) -> &str {
    path.to_str().expect("temporary paths are text")
}
