//! Requests about one repository, by somebody who identifies themselves if they have to.

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, Request, RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;
use trellis_core::Code;
use zeroize::Zeroizing;

use super::challenge::Challenge;
use super::http::{Http, Trouble};
use crate::credentials::{Credentials, Login};

/// The registry that answers for another name.
const DOCKER_HUB: (&str, &str) = ("docker.io", "registry-1.docker.io");

/// On whose behalf a registry is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Who<'a> {
    /// Whom this machine's credentials are of, if it has any for the registry.
    Kept(&'a Credentials),
    /// This user.
    Given(&'a Login),
}

/// Requests to one registry, for one purpose.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    pub(super) http: &'a Http,
    /// As references have it.
    pub(super) registry: &'a str,
    /// Where it is.
    origin: Url,
    who: Who<'a>,
    /// What a token is asked for, such as `repository:team/counter:pull`.
    scope: Option<String>,
    authorization: Option<HeaderValue>,
}

/// What gives tokens.
#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl<'a> Session<'a> {
    /// A session with a registry; by plain HTTP only if that is asked for.
    ///
    /// # Errors
    /// [`Code::Image`] for a registry that is no host.
    pub(crate) fn new(
        http: &'a Http,
        registry: &'a str,
        plain_http: bool,
        who: Who<'a>,
    ) -> Result<Self, Trouble> {
        let host = if registry == DOCKER_HUB.0 { DOCKER_HUB.1 } else { registry };
        let scheme = if plain_http { "http" } else { "https" };
        let origin = Url::parse(&format!("{scheme}://{host}/")).map_err(|error| {
            Trouble::lasting(Code::Image, format!("`{registry}` is no registry: {error}"))
        })?;
        Ok(Self { http, registry, origin, who, scope: None, authorization: None })
    }

    /// The same, about a repository; `actions` is what will be done.
    pub(crate) fn about(self, repository: &str, actions: &str) -> Self {
        Self { scope: Some(format!("repository:{repository}:{actions}")), ..self }
    }

    /// A URL of the registry, or one that it gave.
    ///
    /// # Errors
    /// [`Code::Registry`] for a text that is none.
    pub(super) fn url(&self, path: &str) -> Result<Url, Trouble> {
        self.origin.join(path).map_err(|error| {
            let message = format!("{} names a place that is no URL: {error}", self.registry);
            Trouble::lasting(Code::Registry, message)
        })
    }

    /// A request.
    ///
    /// # Errors
    /// As [`url`](Self::url), and when there can be no HTTP client.
    pub(super) async fn request(
        &self,
        method: Method,
        path: &str,
    ) -> Result<RequestBuilder, Trouble> {
        let url = self.url(path)?;
        Ok(self.http.client().await?.request(method, url))
    }

    /// Sends a request, once more with credentials if the registry asks for some. `what` it is
    /// about is for messages.
    ///
    /// # Errors
    /// [`Code::Registry`], and [`Code::Credentials`] when there are none that are taken.
    pub(super) async fn send(
        &mut self,
        request: RequestBuilder,
        what: &str,
    ) -> Result<Response, Trouble> {
        let request = request.build().map_err(|_| self.malformed(what))?;
        // The bodies that are sent are in memory, and shared.
        let next = request.try_clone().ok_or_else(|| self.malformed(what))?;
        let response = self.once(request).await?;
        if response.status() != StatusCode::UNAUTHORIZED || self.authorization.is_some() {
            return Ok(response);
        }
        let challenge = Challenge::of(response.headers());
        self.authorization = Some(self.authorize(challenge, what).await?);
        self.once(next).await
    }

    /// Sends a request as this session is authorized.
    async fn once(&self, mut request: Request) -> Result<Response, Trouble> {
        if let Some(authorization) = &self.authorization
            && request.url().origin() == self.origin.origin()
        {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        self.http.send(self.registry, request).await
    }

    /// True once it sends credentials along, or what it was given for them.
    pub(super) const fn is_authorized(&self) -> bool {
        self.authorization.is_some()
    }

    /// Tries credentials that the registry did not ask for.
    pub(super) fn present(&mut self, login: &Login) -> Result<(), Trouble> {
        self.authorization = Some(basic(login)?);
        Ok(())
    }

    async fn authorize(
        &self,
        challenge: Option<Challenge>,
        what: &str,
    ) -> Result<HeaderValue, Trouble> {
        let registry = self.registry;
        let kept;
        let login = match self.who {
            Who::Given(login) => Some(login),
            Who::Kept(credentials) => {
                kept = credentials.of(registry).await?;
                kept.as_ref()
            }
        };
        match (challenge, login) {
            (Some(Challenge::Bearer { realm, service }), login) => {
                self.token(&realm, service.as_deref(), login).await
            }
            (Some(Challenge::Basic), Some(login)) => basic(login),
            (Some(Challenge::Basic), None) => {
                let message = format!("{registry} gives {what} to its users only");
                Err(Trouble::lasting(Code::Credentials, message))
            }
            (None, _) => {
                let message = format!("{registry} wants credentials, in no way that is known here");
                Err(Trouble::lasting(Code::Registry, message))
            }
        }
    }

    /// A token from where the registry says that they are given: by HTTPS, unless it is the
    /// registry itself that is spoken to in plain HTTP.
    async fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        login: Option<&Login>,
    ) -> Result<HeaderValue, Trouble> {
        let registry = self.registry;
        let refused = |why: &str| Trouble::lasting(Code::Registry, format!("{registry} {why}"));
        let realm = Url::parse(realm)
            .ok()
            .filter(|realm| realm.scheme() == "https" || realm.origin() == self.origin.origin());
        let mut realm = realm.ok_or_else(|| refused("gives its tokens at no HTTPS address"))?;
        let scope = self.scope.as_deref();
        let asked = [service.map(|it| ("service", it)), scope.map(|it| ("scope", it))];
        realm.query_pairs_mut().extend_pairs(asked.into_iter().flatten());
        let mut request = Request::new(Method::GET, realm);
        if let Some(login) = login {
            request.headers_mut().insert(AUTHORIZATION, basic(login)?);
        }
        let response = self.http.send(registry, request).await?;
        let status = response.status();
        if !status.is_success() {
            return Err(Trouble::of_status(registry, "a token", status));
        }
        let content = Zeroizing::new(self.http.whole(registry, response).await?);
        let token: Token =
            serde_json::from_slice(&content).map_err(|_| refused("gives tokens that are none"))?;
        let token = token.token.or(token.access_token);
        let token = token.ok_or_else(|| refused("gives no token where it says it does"))?;
        secret(&Zeroizing::new(format!("Bearer {}", *Zeroizing::new(token))))
    }

    fn malformed(&self, what: &str) -> Trouble {
        let message = format!("{what} of {} cannot be asked for", self.registry);
        Trouble::lasting(Code::Internal, message)
    }
}

fn basic(login: &Login) -> Result<HeaderValue, Trouble> {
    secret(&Zeroizing::new(format!("Basic {}", *login.encoded())))
}

/// A header that is shown nowhere.
fn secret(text: &str) -> Result<HeaderValue, Trouble> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| Trouble::lasting(Code::Registry, "a token holds what no header may hold"))?;
    value.set_sensitive(true);
    Ok(value)
}
