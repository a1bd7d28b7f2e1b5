//! A real Redis server for tests.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

/// How often another port is tried when the chosen one was taken meanwhile.
const ATTEMPTS: usize = 5;

/// A `redis-server` process on a port of its own that keeps nothing on disk; killed when dropped.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    password: Option<String>,
    process: Option<Child>,
}

impl RedisServer {
    /// Starts a server and waits until it takes connections.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// Starts a server that asks for a password.
    #[must_use]
    pub fn start_with_password(password: &str) -> Self {
        Self::start_with(Some(password.to_owned()))
    }

    /// Where the server listens, or will listen again.
    #[must_use]
    pub fn url(&self) -> String {
        match &self.password {
            Some(password) => format!("redis://:{password}@127.0.0.1:{}", self.port),
            None => format!("redis://127.0.0.1:{}", self.port),
        }
    }

    /// Where the server listens, without the password.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The server's process id, for signals; `None` while it is killed.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// What the server answers to a command: its text, its number, or its bytes. As any client may
    /// ask beside a provider.
    ///
    /// # Panics
    /// When it answers with an error, a list or nothing at all.
    #[must_use]
    pub fn ask(&self, words: &[&[u8]]) -> Vec<u8> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("it listens");
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            request.extend(format!("${}\r\n", word.len()).bytes());
            request.extend_from_slice(word);
            request.extend_from_slice(b"\r\n");
        }
        stream.write_all(&request).expect("it reads");
        let (mut answer, mut line) = (BufReader::new(stream), String::new());
        answer.read_line(&mut line).expect("it answers");
        let (kind, rest) = line.trim_end().split_at(1);
        match kind {
            "+" | ":" => rest.as_bytes().to_vec(),
            "$" => {
                let mut bytes = vec![0; rest.parse().expect("the key is there")];
                answer.read_exact(&mut bytes).expect("it answers");
                bytes
            }
            _ => panic!("Redis answers {line:?}"),
        }
    }

    /// Kills the server as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("the server is our own process");
            process.wait().expect("the server is our own process");
        }
    }

    /// Starts the server again on its port, empty.
    pub fn restart(&mut self) {
        self.kill();
        self.process = Some(spawn(self.port, self.password.as_deref()).unwrap_or_else(|output| {
            panic!("redis-server does not start again on port {}:\n{output}", self.port)
        }));
    }

    fn start_with(password: Option<String>) -> Self {
        let mut output = String::new();
        for _ in 0..ATTEMPTS {
            let port = free_port();
            match spawn(port, password.as_deref()) {
                Ok(process) => return Self { port, password, process: Some(process) },
                Err(said) => output = said,
            }
        }
        panic!("redis-server does not start; it says:\n{output}");
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port nobody listens on, as of now: also the address of a Redis that is down.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback interface");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// Starts a server and reads its log until it says that it is ready; else all it said.
fn spawn(port: u16, password: Option<&str>) -> Result<Child, String> {
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
    command.args(["--save", "", "--appendonly", "no", "--logfile", ""]);
    if let Some(password) = password {
        command.args(["--requirepass", password]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = match command.spawn() {
        Ok(process) => process,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("these tests need a real Redis: apt-get install redis-server")
        }
        Err(error) => panic!("redis-server cannot be started: {error}"),
    };
    let mut log = BufReader::new(process.stdout.take().expect("the output is piped"));
    let mut said = String::new();
    loop {
        let start = said.len();
        // The log ends with the process, so there is nothing to wait for after its end.
        if log.read_line(&mut said).unwrap_or(0) == 0 {
            process.wait().expect("the server is our own process");
            return Err(said);
        }
        if said[start..].contains("Ready to accept connections") {
            break;
        }
    }
    // Read on, so that the server never waits for room in the pipe.
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    Ok(process)
}
