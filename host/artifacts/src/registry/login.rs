//! Finding out whether a registry takes credentials.

use reqwest::{Method, StatusCode};

use super::http::Trouble;
use super::session::Session;
use crate::credentials::Login;

/// Asks the registry of a session that was given `login` whether it takes that.
///
/// # Errors
/// [`trellis_core::Code::Credentials`] when it does not, and [`trellis_core::Code::Registry`].
pub(crate) async fn check_login(session: &mut Session<'_>, login: &Login) -> Result<(), Trouble> {
    const WHAT: &str = "these credentials";
    let request = session.request(Method::GET, "v2/").await?;
    let asked = session.send(request, WHAT).await?.status();
    let answered = if asked == StatusCode::OK && !session.is_authorized() {
        // Anybody may come in there, so it has not looked at them yet.
        session.present(login)?;
        let request = session.request(Method::GET, "v2/").await?;
        session.send(request, WHAT).await?.status()
    } else {
        asked
    };
    match answered {
        StatusCode::OK => Ok(()),
        status => Err(Trouble::of_status(session.registry, WHAT, status)),
    }
}
