//! The HTTP client, its bounds, and what can be wrong with an answer.

use std::error::Error;
use std::time::Duration;

use reqwest::redirect::{Action, Attempt, Policy};
use reqwest::{Client, Request, Response, StatusCode};
use tokio::sync::OnceCell;
use tokio::time::timeout;
use trellis_core::{CallError, Code};
use trellis_limits::Limit;
use trellis_limits::fixed::{REGISTRY_ANSWER, REGISTRY_REDIRECTS, REGISTRY_SILENCE, REGISTRY_TIME};

/// How often something is asked for in all that may be there a moment later.
const TRIES: u32 = 3;
/// The pause before it is asked for again; the next one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// How long a registry is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// For an answer, or for more of one.
    pub(crate) silence: Duration,
    /// For one image, in all.
    pub(crate) time: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            silence: Duration::from_millis(REGISTRY_SILENCE.default),
            time: Duration::from_millis(REGISTRY_TIME.default),
        }
    }
}

/// The HTTP client of all registries, made when it is needed first.
#[derive(Debug)]
pub(crate) struct Http {
    client: OnceCell<Client>,
    pub(crate) bounds: Bounds,
}

/// Why something was not had from a registry.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) error: CallError,
    /// True when nobody is there, whatever is asked for.
    pub(crate) is_down: bool,
    /// True when it may be had a moment later.
    passes: bool,
}

impl Trouble {
    /// True when the registry failed to answer, which is no answer.
    pub(crate) const fn is_outage(&self) -> bool {
        self.is_down || self.passes
    }

    /// What will be the same a moment later.
    pub(super) fn lasting(code: Code, message: impl Into<String>) -> Self {
        Self::from(CallError::new(code, message.into()))
    }

    /// That the machine of this host failed, not the registry.
    pub(crate) fn of_disk(error: &std::io::Error) -> Self {
        Self::lasting(Code::Storage, format!("the cache of images cannot be used: {error}"))
    }

    /// That a limit was hit while something was waited for.
    pub(crate) fn of_time(registry: &str, limit: &Limit) -> Self {
        let message = format!("{registry} does not answer in time ({})", limit.name);
        Self { is_down: true, ..Self::lasting(Code::Registry, message) }
    }

    /// What an answer says that is no success.
    pub(super) fn of_status(registry: &str, what: &str, status: StatusCode) -> Self {
        let passes = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        let (code, message) = match status {
            StatusCode::NOT_FOUND => (Code::NotFound, format!("{registry} has no {what}")),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                (Code::Credentials, format!("{registry} refuses {what} ({status})"))
            }
            _ => (Code::Registry, format!("{registry} answers {status} to {what}")),
        };
        Self { passes, ..Self::lasting(code, message) }
    }

    fn of_client(registry: &str, error: reqwest::Error) -> Self {
        // Where it was redirected to may hold secrets.
        let error = error.without_url();
        let mut cause: &dyn Error = &error;
        while let Some(beneath) = cause.source() {
            cause = beneath;
        }
        let message = if error.is_redirect() {
            format!(
                "{registry} redirects more than {} times ({}), or from HTTPS to plain HTTP",
                REGISTRY_REDIRECTS.default, REGISTRY_REDIRECTS.name
            )
        } else if error.is_connect() {
            // As rustls says it; nothing else is wrong with one.
            let hint = match cause.to_string().contains("certificate") {
                true => "; SSL_CERT_FILE names a file with those that are trusted",
                false => "",
            };
            format!("{registry} cannot be reached: {cause}{hint}")
        } else {
            format!("{registry} breaks off: {cause}")
        };
        let (is_down, passes) = (error.is_connect(), !error.is_redirect());
        Self { is_down, passes, ..Self::lasting(Code::Registry, message) }
    }
}

impl From<CallError> for Trouble {
    fn from(error: CallError) -> Self {
        Self { error, is_down: false, passes: false }
    }
}

impl Http {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { client: OnceCell::new(), bounds }
    }

    /// The client.
    ///
    /// # Errors
    /// [`Code::Registry`] when this machine has no certificates to trust.
    pub(super) async fn client(&self) -> Result<&Client, Trouble> {
        // It reads the certificates that this machine trusts.
        let make = || async {
            let made = tokio::task::spawn_blocking(new_client).await;
            made.map_err(|_| Trouble::lasting(Code::Internal, "making an HTTP client panicked"))?
        };
        self.client.get_or_try_init(make).await
    }

    /// Sends a request and waits for the head of its answer for as long as one is waited for.
    ///
    /// # Errors
    /// [`Code::Registry`] when there is none.
    pub(super) async fn send(&self, registry: &str, request: Request) -> Result<Response, Trouble> {
        let client = self.client().await?;
        // What is sent takes its time: that is bounded with all the rest.
        let bound = if request.body().is_some() { self.bounds.time } else { self.bounds.silence };
        match timeout(bound, client.execute(request)).await {
            Ok(answer) => answer.map_err(|error| Trouble::of_client(registry, error)),
            Err(_) => Err(Trouble::of_time(registry, &REGISTRY_SILENCE)),
        }
    }

    /// The next piece of an answer; `None` at its end.
    ///
    /// # Errors
    /// [`Code::Registry`] when it does not come.
    pub(super) async fn piece(
        &self,
        registry: &str,
        response: &mut Response,
    ) -> Result<Option<bytes::Bytes>, Trouble> {
        match timeout(self.bounds.silence, response.chunk()).await {
            Ok(piece) => piece.map_err(|error| Trouble::of_client(registry, error)),
            Err(_) => Err(Trouble::of_time(registry, &REGISTRY_SILENCE)),
        }
    }

    /// An answer that is needed whole.
    ///
    /// # Errors
    /// [`Code::Registry`] when it is larger than any right one, or not there in time.
    pub(super) async fn whole(
        &self,
        registry: &str,
        mut response: Response,
    ) -> Result<Vec<u8>, Trouble> {
        let too_large = || {
            let (most, name) = (REGISTRY_ANSWER.default, REGISTRY_ANSWER.name);
            let message = format!("{registry} answers with more than {most} bytes ({name})");
            Trouble::lasting(Code::Registry, message)
        };
        let reading = async {
            let mut content = Vec::new();
            while let Some(piece) = self.piece(registry, &mut response).await? {
                if (content.len() + piece.len()) as u64 > REGISTRY_ANSWER.default {
                    return Err(too_large());
                }
                content.extend_from_slice(&piece);
            }
            Ok(content)
        };
        let read = timeout(self.bounds.silence, reading).await;
        read.unwrap_or_else(|_| Err(Trouble::of_time(registry, &REGISTRY_SILENCE)))
    }
}

/// How often something was asked for that may be asked for again.
#[derive(Debug)]
pub(super) struct Tries {
    left: u32,
    pause: Duration,
}

impl Tries {
    pub(super) const fn new() -> Self {
        Self { left: TRIES - 1, pause: FIRST_PAUSE }
    }

    /// Waits until it may be tried again.
    ///
    /// # Errors
    /// The trouble itself, when it does not pass or was had too often.
    pub(super) async fn after(&mut self, trouble: Trouble) -> Result<(), Trouble> {
        if self.left == 0 || !trouble.passes {
            return Err(trouble);
        }
        self.left -= 1;
        tokio::time::sleep(self.pause).await;
        self.pause *= 2;
        Ok(())
    }
}

fn new_client() -> Result<Client, Trouble> {
    // An error means that the process has a provider of cryptography already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .user_agent(concat!("trellis/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::custom(redirected))
        .connect_timeout(Duration::from_millis(REGISTRY_SILENCE.default))
        .referer(false)
        .build();
    client.map_err(|error| {
        let message = format!("no HTTPS client can be made on this machine: {error}");
        Trouble::lasting(Code::Registry, message)
    })
}

/// Registries keep content elsewhere. The client takes no credentials along to another origin; what
/// began in secret goes on in secret.
fn redirected(attempt: Attempt<'_>) -> Action {
    let from = attempt.previous();
    let was_secret = from.last().is_some_and(|from| from.scheme() == "https");
    if from.len() as u64 > REGISTRY_REDIRECTS.default
        || was_secret && attempt.url().scheme() != "https"
    {
        return attempt.error("refused");
    }
    attempt.follow()
}
