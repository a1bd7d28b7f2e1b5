//! What completes a line that is being typed and asks a host: the names of what runs just now.
//! Silent where there is nobody to ask.

use clap_complete::engine::ArgValueCandidates;
use trellis_control::Answer;

use super::complete::{PATIENCE, candidates};
use super::host::{HostChoice, after};
use super::runtime;
use crate::global::{Color, Form, Global};
use crate::output::Output;

/// Actors.
pub(super) fn actors() -> ArgValueCandidates {
    ArgValueCandidates::new(|| candidates(names("actors")))
}

/// Providers.
pub(super) fn providers() -> ArgValueCandidates {
    ArgValueCandidates::new(|| candidates(names("providers")))
}

/// Actors and providers.
pub(super) fn components() -> ArgValueCandidates {
    ArgValueCandidates::new(|| candidates(["actors", "providers"].map(names).concat()))
}

/// Contracts that something is bound to, or may be.
pub(super) fn contracts() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let served = match ask("providers") {
            Some(Answer::Providers(providers)) => providers,
            _ => Vec::new(),
        };
        candidates(served.into_iter().flat_map(|provider| provider.contracts).collect())
    })
}

/// Names of bindings.
pub(super) fn bindings() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let bindings = match ask("bindings") {
            Some(Answer::Bindings(bindings)) => bindings,
            _ => Vec::new(),
        };
        candidates(bindings.into_iter().map(|it| it.binding.name).collect())
    })
}

/// Bindings as ACTOR, or ACTOR/NAME.
pub(super) fn stores() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let bindings = match ask("bindings") {
            Some(Answer::Bindings(bindings)) => bindings,
            _ => Vec::new(),
        };
        let written = bindings.into_iter().map(|it| match &*it.binding.name {
            "default" => it.binding.actor,
            name => format!("{}/{name}", it.binding.actor),
        });
        candidates(written.collect())
    })
}

/// The names of a list that a host has.
fn names(list: &str) -> Vec<String> {
    match ask(list) {
        Some(Answer::Actors(actors)) => actors.into_iter().map(|it| it.name).collect(),
        Some(Answer::Providers(providers)) => providers.into_iter().map(|it| it.name).collect(),
        _ => Vec::new(),
    }
}

/// What the host tells that the line means; `None` when it does not, in time.
fn ask(list: &str) -> Option<Answer> {
    let words: Vec<_> = std::env::args_os().map(|it| it.to_string_lossy().into_owned()).collect();
    let choice = HostChoice::typed(&words);
    let global = Global { output: Form::Text, quiet: true, color: Color::Never };
    let output = Output::new(&global);
    let asked = async {
        let client = choice.client_until(after(PATIENCE), output).await?;
        Ok(client.get(&[list]).await?)
    };
    runtime::block_on(asked).ok()
}
