//! A receiver that is spoken to over HTTPS, with a certificate that no machine trusts.

use std::process::{Child, Command, Stdio};

use trellis_testkit::{Lines, Site, run_to_end};

/// What the certificate says: it is for this address, and signs no other.
const TERMS: &str = "
[req]
distinguished_name = name
x509_extensions = terms
prompt = no
[name]
CN = receiver
[terms]
basicConstraints = critical,CA:FALSE
subjectAltName = IP:127.0.0.1
";

/// Prints where something is sent.
const SERVER: &str = "
import http.server
import ssl

class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers['content-length']))
        print('got', self.path, flush=True)
        self.send_response(200)
        self.end_headers()

server = http.server.HTTPServer(('127.0.0.1', 0), Receiver)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('receiver.pem', 'receiver.key')
server.socket = context.wrap_socket(server.socket, server_side=True)
print('at', server.server_port, flush=True)
server.serve_forever()
";

/// The receiver, until it is dropped.
pub(super) struct HttpsReceiver {
    process: Child,
    printed: Lines,
    endpoint: String,
}

impl HttpsReceiver {
    /// Starts one whose certificate is `receiver.pem` in the site.
    pub(super) fn start(site: &Site) -> Self {
        site.put("terms", TERMS);
        site.put("receiver.py", SERVER);
        let line = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
                    -config terms -keyout receiver.key -out receiver.pem";
        let mut openssl = Command::new("openssl");
        let made = run_to_end(openssl.args(line.split_whitespace()).current_dir(site.folder()));
        assert_eq!(made.code, Some(0), "{made:#?}");
        let mut python = Command::new("python3");
        python.arg("receiver.py").current_dir(site.folder());
        python.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = python.spawn().expect("Python is there");
        let printed = Lines::read(process.stdout.take().expect("it is piped"));
        let port = printed.wait_for(0, |line| line.strip_prefix("at ").map(str::to_owned));
        let port = port.expect("it listens");
        Self { process, printed, endpoint: format!("https://127.0.0.1:{port}") }
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Waits until something is sent there.
    pub(super) fn gets(&self, path: &str) -> bool {
        let wanted = format!("got {path}");
        self.printed.wait_for(0, |line| (line == wanted).then_some(())).is_some()
    }
}

impl Drop for HttpsReceiver {
    fn drop(&mut self) {
        // It fails if it has ended, which is fine.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
