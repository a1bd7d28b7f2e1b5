//! A real registry of images for tests.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::lines::Lines;

/// The user that a registry with a password has.
pub const REGISTRY_USER: &str = "ada";
/// The password of that user: it may be shown nowhere.
pub const REGISTRY_PASSWORD: &str = "canary-3e8b";
/// Both as the registry has them; made by `htpasswd -nbB ada canary-3e8b`.
const USERS: &str = "ada:$2y$05$TTPxCM0pTZyO/kn8kzFETeGD5iUEuhSu46JzbRRNn3ufSPiT7f9IK\n";

/// What the certificate of its authority says, and its own: it is for this address.
const TERMS: &str = "
[req]
distinguished_name = name
prompt = no
[name]
[authority]
basicConstraints = critical,CA:TRUE
[server]
basicConstraints = critical,CA:FALSE
subjectAltName = IP:127.0.0.1
";

/// A `docker-registry` process on a port of its own, in a temporary folder; killed when dropped.
pub struct DockerRegistry {
    name: String,
    process: Child,
    folder: TempDir,
}

impl DockerRegistry {
    /// Starts a registry that anybody may use, and waits until it listens.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// Starts a registry that is spoken to over HTTPS, with a certificate by an
    /// [`authority`](Self::authority) that no machine trusts.
    #[must_use]
    pub fn start_https() -> Self {
        let folder = folder();
        let of = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
                  -config terms";
        std::fs::write(folder.path().join("terms"), TERMS).expect("the folder is ours");
        let authority = "-subj /CN=authority -extensions authority -keyout ca.key -out ca.pem";
        openssl(&folder, &format!("{of} {authority}"));
        let own = "-subj /CN=registry -extensions server -keyout own.key -out own.pem";
        openssl(&folder, &format!("{of} -CA ca.pem -CAkey ca.key {own}"));
        Self::start_in(folder, ", tls: {certificate: own.pem, key: own.key}", "")
    }

    /// The file with the certificate of who vouches for it, if it is spoken to over HTTPS.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Starts a registry that only [`REGISTRY_USER`] may use.
    #[must_use]
    pub fn start_with_password() -> Self {
        Self::start_with("auth: {htpasswd: {realm: test, path: users}}\n")
    }

    /// The registry as images have it: its address.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Kills it: nobody listens there any more.
    ///
    /// # Panics
    /// When the operating system does not let it be killed.
    pub fn stop(&mut self) {
        self.process.kill().expect("it is our own process");
        self.process.wait().expect("it is our own process");
    }

    /// Changes a byte of each module that it holds.
    ///
    /// # Panics
    /// When its folder cannot be written.
    pub fn damage(&self) {
        let blobs = self.folder.path().join("data/docker/registry/v2/blobs/sha256");
        let folders = |path: &std::path::Path| {
            let entries = std::fs::read_dir(path).expect("a folder of the registry");
            entries.map(|entry| entry.expect("an entry").path()).collect::<Vec<_>>()
        };
        for blob in folders(&blobs).iter().flat_map(|part| folders(part)) {
            let path = blob.join("data");
            let mut content = std::fs::read(&path).expect("content");
            if content.starts_with(b"\0asm") {
                content[4] ^= 1;
                std::fs::write(&path, content).expect("the folder is ours");
            }
        }
    }

    fn start_with(auth: &str) -> Self {
        Self::start_in(folder(), "", auth)
    }

    fn start_in(folder: TempDir, tls: &str, auth: &str) -> Self {
        let config = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: data}}}}\n\
             http: {{addr: '127.0.0.1:0'{tls}}}\n{auth}"
        );
        std::fs::write(folder.path().join("config.yml"), config).expect("the folder is ours");
        std::fs::write(folder.path().join("users"), USERS).expect("the folder is ours");
        let mut command = Command::new("docker-registry");
        command.args(["serve", "config.yml"]).current_dir(folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = match command.spawn() {
            Ok(process) => process,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                panic!("these tests need a real registry: apt-get install docker-registry")
            }
            Err(error) => panic!("docker-registry cannot be started: {error}"),
        };
        let log = Lines::read(process.stderr.take().expect("it is piped"));
        let name = log.wait_for(0, |line| {
            let (_, said) = line.split_once("listening on ")?;
            said.split(['"', ' ', ',']).next().map(str::to_owned)
        });
        let name = name.unwrap_or_else(|| panic!("docker-registry says:\n{}", log.text()));
        Self { name, process, folder }
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Makes keys and certificates.
fn openssl(folder: &TempDir, line: &str) {
    let mut command = Command::new("openssl");
    command.args(line.split_whitespace()).current_dir(folder.path());
    let made = command.output().expect("openssl is there");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        // It fails if it was stopped, which is fine.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
