//! One request to a receiver, and its answer.
//!
//! Source: <https://opentelemetry.io/docs/specs/otlp/#otlphttp>.

use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response, StatusCode};
use tokio::task::spawn_blocking;

use crate::otlp::{Rejected, rejected};
use crate::settings::Receiver;

/// How messages are written, and answers.
const PROTOBUF: &str = "application/x-protobuf";
/// Most bytes of a file with certificates: several times those that a machine trusts.
const CERTIFICATES_BYTES_MAX: u64 = 4 << 20;
/// Most bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Why something was not received.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Trouble {
    /// In words that hold nothing secret.
    pub(crate) why: String,
    /// True when it may be received a moment later.
    pub(crate) passes: bool,
    /// When the receiver wants to be asked again.
    pub(crate) after: Option<Duration>,
}

/// A client for one receiver.
///
/// # Errors
/// When there are no certificates to trust, and the receiver needs one.
pub(crate) fn client(receiver: &Receiver) -> Result<Client, Trouble> {
    // An error means that the process has a provider of cryptography already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(concat!("trellis/", env!("CARGO_PKG_VERSION")))
        // Headers may be secret, so nobody else is sent them.
        .redirect(Policy::none())
        // From connecting to the end of the answer.
        .timeout(receiver.time_max)
        .default_headers(receiver.headers.clone());
    // Without HTTPS no certificates are looked for, and a machine may have none.
    let is_plain = receiver.endpoint.url().scheme() == "http";
    let builder = match &receiver.certificates {
        _ if is_plain => builder.tls_certs_only([]),
        Some(file) => builder.tls_certs_only(certificates(file)?),
        None => builder,
    };
    builder.build().map_err(|error| Trouble {
        why: format!("no HTTPS client can be made on this machine: {}", beneath(&error)),
        passes: false,
        after: None,
    })
}

/// The certificates in a file.
fn certificates(file: &Path) -> Result<Vec<Certificate>, Trouble> {
    let wrong = |why: &dyn fmt::Display| Trouble {
        why: format!("the file of OTEL_EXPORTER_OTLP_CERTIFICATE {why}"),
        passes: false,
        after: None,
    };
    let mut bytes = Vec::new();
    let read =
        File::open(file).and_then(|it| it.take(CERTIFICATES_BYTES_MAX).read_to_end(&mut bytes));
    read.map_err(|error| wrong(&format_args!("cannot be read: {error}")))?;
    let certificates = Certificate::from_pem_bundle(&bytes).unwrap_or_default();
    if certificates.is_empty() {
        return Err(wrong(&"has no certificates in PEM"));
    }
    Ok(certificates)
}

/// Sends a message of OTLP; gives what of it the receiver rejected.
///
/// # Errors
/// When it was not received.
pub(crate) async fn send(
    client: &Client,
    receiver: &Receiver,
    message: Vec<u8>,
) -> Result<Rejected, Trouble> {
    let request = client.post(receiver.endpoint.url().clone()).header(CONTENT_TYPE, PROTOBUF);
    let request = if receiver.is_gzip {
        request.header(CONTENT_ENCODING, "gzip").body(compressed(message).await?)
    } else {
        request.body(message)
    };
    match request.send().await {
        Ok(response) => received(receiver, response).await,
        Err(error) => Err(of_client(receiver, &error)),
    }
}

/// The same message, smaller: megabytes take a while.
async fn compressed(message: Vec<u8>) -> Result<Vec<u8>, Trouble> {
    let compressing = spawn_blocking(move || {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&message)?;
        encoder.finish()
    });
    let compressed = compressing.await.map_err(std::io::Error::other).flatten();
    compressed.map_err(|error| Trouble {
        why: format!("it cannot be compressed: {error}"),
        passes: false,
        after: None,
    })
}

async fn received(receiver: &Receiver, mut response: Response) -> Result<Rejected, Trouble> {
    let status = response.status();
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let after = header(RETRY_AFTER).and_then(|text| text.trim().parse().ok());
    let after = after.map(Duration::from_secs);
    let is_protobuf = header(CONTENT_TYPE).is_some_and(|it| it.starts_with(PROTOBUF));
    let mut answer = Vec::new();
    let is_whole = loop {
        match response.chunk().await {
            Ok(Some(piece)) if answer.len() + piece.len() <= ANSWER_BYTES_MAX => {
                answer.extend_from_slice(&piece);
            }
            Ok(Some(_)) => break false,
            Ok(None) => break true,
            // It may have been received, or not: another one could make it twice.
            Err(error) if status.is_success() => {
                return Err(Trouble { passes: false, ..of_client(receiver, &error) });
            }
            // The status says more.
            Err(_) => break false,
        }
    };
    if status.is_success() {
        let is_read = is_whole && is_protobuf;
        return Ok(if is_read { rejected(&answer) } else { Rejected::default() });
    }
    let passes = matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    );
    let hint = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "; look at the headers",
        StatusCode::NOT_FOUND => "; look at the path of the address",
        _ => "",
    };
    Err(Trouble { why: format!("it answers {status}{hint}"), passes, after })
}

fn of_client(receiver: &Receiver, error: &reqwest::Error) -> Trouble {
    let why = if error.is_timeout() {
        format!("it does not answer within {} ms", receiver.time_max.as_millis())
    } else if error.is_connect() {
        format!("it cannot be reached: {}", beneath(error))
    } else {
        format!("it breaks off: {}", beneath(error))
    };
    Trouble { why, passes: true, after: None }
}

/// The innermost cause: what is around it has the address, which may hold secrets.
fn beneath(error: &reqwest::Error) -> String {
    let Some(mut cause) = error.source() else { return "its request cannot be made".to_owned() };
    while let Some(beneath) = cause.source() {
        cause = beneath;
    }
    cause.to_string()
}
