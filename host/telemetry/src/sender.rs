//! One request to a receiver, and its answer.
//!
//! Source: <https://opentelemetry.io/docs/specs/otlp/#otlphttp>.

use std::error::Error;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};

use crate::settings::Receiver;

/// Most bytes of an answer that are read, so that its connection can be used again.
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
/// When this machine has no certificates to trust, and the receiver needs one.
pub(crate) fn client(receiver: &Receiver) -> Result<Client, Trouble> {
    // An error means that the process has a provider of cryptography already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(concat!("trellis/", env!("CARGO_PKG_VERSION")))
        // Headers may be secret, so nobody else is sent them.
        .redirect(Policy::none())
        .timeout(receiver.time_max)
        .default_headers(receiver.headers.clone());
    // Without HTTPS no certificates are looked for, and a machine may have none.
    let is_plain = receiver.endpoint.url().scheme() == "http";
    let builder = if is_plain { builder.tls_certs_only([]) } else { builder };
    builder.build().map_err(|error| Trouble {
        why: format!("no HTTPS client can be made on this machine: {}", beneath(&error)),
        passes: false,
        after: None,
    })
}

/// Sends a message of OTLP.
///
/// # Errors
/// When it was not received.
pub(crate) async fn send(
    client: &Client,
    receiver: &Receiver,
    message: Vec<u8>,
) -> Result<(), Trouble> {
    let request = client.post(receiver.endpoint.url().clone());
    let request = request.header(CONTENT_TYPE, "application/x-protobuf").body(message);
    match request.send().await {
        Ok(response) => received(response).await,
        Err(error) => Err(of_client(receiver, error)),
    }
}

async fn received(mut response: Response) -> Result<(), Trouble> {
    let status = response.status();
    let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let after = after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    let mut read = 0;
    while read < ANSWER_BYTES_MAX {
        match response.chunk().await {
            Ok(Some(piece)) => read += piece.len(),
            // The status was told already.
            Ok(None) | Err(_) => break,
        }
    }
    if status.is_success() {
        return Ok(());
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

fn of_client(receiver: &Receiver, error: reqwest::Error) -> Trouble {
    let why = if error.is_timeout() {
        format!("it does not answer within {} ms", receiver.time_max.as_millis())
    } else if error.is_connect() {
        format!("it cannot be reached: {}", beneath(&error))
    } else {
        format!("it breaks off: {}", beneath(&error))
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
