//! Whether a host has what a filter names: one that matches nothing says so.

use trellis_app::AdminClient;
use trellis_control::Answer;
use trellis_core::{Code, nearest_name};

use super::get::odd;
use crate::failure::Failure;

/// Checks that there is something of that name, of which there is only nothing to list.
///
/// # Errors
/// `E_NOT_FOUND`, with the name that may be meant.
pub(super) async fn check_known(client: &AdminClient, name: &str) -> Result<(), Failure> {
    let (actors, providers) = (client.get(&["actors"]).await?, client.get(&["providers"]).await?);
    let (Answer::Actors(actors), Answer::Providers(providers)) = (actors, providers) else {
        return Err(odd());
    };
    let actors = actors.iter().map(|it| it.name.as_str());
    let known = actors.chain(providers.iter().map(|it| it.name.as_str()));
    if known.clone().any(|known| known == name) {
        return Ok(());
    }
    let near = nearest_name(name, known);
    let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    let text = format!(
        "the host has no actor or provider `{name}`, and nothing is kept of one that it had{near}"
    );
    let failure = Failure::new(Code::NotFound, text);
    Err(failure.cure("`trellis get actors` and `trellis get providers` list their names."))
}
