//! What a caller of an actor may have mistaken, when its call fails.

use std::time::Duration;

use hyper::StatusCode;
use trellis_core::{CallError, Code};

use super::answers::Refused;
use super::api::Admin;
use super::in_turn::in_turn;
use super::working::Working;

/// The same failure of a call, with what is known of it here besides: that the name is a
/// provider's, or that it was the caller who waited no longer.
pub(super) async fn mistaken(
    at: (&Admin, &Working),
    actor: &str,
    error: CallError,
    patience: Option<Duration>,
) -> Refused {
    match (error.code(), patience) {
        (Code::NotFound, _) if is_provider(at, actor.to_owned()).await => of_provider(actor),
        (Code::Timeout, Some(patience)) => of_impatience(error, patience),
        _ => error.into(),
    }
}

/// Whether a provider has this name.
async fn is_provider((admin, working): (&Admin, &Working), name: String) -> bool {
    let supervisor = admin.0.supervisor.clone();
    let looking = move || supervisor.overview().providers.iter().any(|it| it.name == name);
    // A panic is logged where it happened, and the call failed in any case.
    in_turn(admin, working, looking).await.unwrap_or(false)
}

fn of_provider(name: &str) -> Refused {
    let message = format!("`{name}` is a provider, and only actors are invoked");
    let cure = format!(
        "Invoke an actor that is bound to `{name}`: `trellis get bindings` shows which are. Only \
         they call it, by the contracts that `trellis describe provider {name}` lists."
    );
    let refused =
        Refused::new(StatusCode::NOT_FOUND, CallError::new(Code::NotFound, message), cure);
    refused.because("A provider serves the actors that are bound to it, and nobody else.")
}

fn of_impatience(error: CallError, patience: Duration) -> Refused {
    let waited = patience.as_millis();
    let cure = format!(
        "The caller waited for {waited} ms: ask for longer with `--timeout`, or with the header \
         `trellis-timeout`. The actor's own `limits: {{call_time: …}}` holds as well; \
         `trellis describe actor` shows it."
    );
    let refused = Refused::new(StatusCode::GATEWAY_TIMEOUT, error, cure);
    refused.because("The call did not finish in the time that its caller or the actor has.")
}
