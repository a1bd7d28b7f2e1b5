//! What is wrong with a provider's values and those of all its bindings, before anything starts.

use crate::factory::ProviderFactory;
use crate::setting::{Scope, Setting};
use crate::values::{ValueError, Values};
use crate::wanted::{Place, ValueProblem, Wanted};

/// Everything wrong with what is wanted of a provider: first what its descriptor alone tells
/// (unknown keys, wrong forms), then the provider's own rules.
#[must_use]
pub fn problems(factory: &dyn ProviderFactory, wanted: &Wanted) -> Vec<ValueProblem> {
    let descriptor = factory.descriptor();
    let settings = &descriptor.settings;
    let mut found = Vec::new();
    let mut add = |place, errors: Vec<ValueError>| {
        found.extend(errors.into_iter().map(|error| ValueProblem { place, error }));
    };
    add(Place::Provider, misfits(&wanted.values, Scope::Provider, settings));
    let bindings = wanted.bindings.iter().enumerate();
    // The actor's own values have keys that no provider knows.
    for (index, binding) in bindings.filter(|_| !descriptor.actor_values) {
        add(Place::Binding(index), misfits(&binding.values, Scope::Binding, settings));
    }
    let formless = found.len();
    for problem in factory.validate(wanted) {
        let told = |other: &ValueProblem| {
            other.place == problem.place && other.error.key == problem.error.key
        };
        if !found[..formless].iter().any(told) {
            found.push(problem);
        }
    }
    found
}

/// The values that `settings` do not know at `scope`, or that have not the form they give.
#[must_use]
pub fn misfits(values: &Values, scope: Scope, settings: &[Setting]) -> Vec<ValueError> {
    let mut found = Vec::new();
    for (key, text) in values.iter() {
        let known = || settings.iter().filter(|setting| setting.stands_at(scope));
        let Some(setting) = known().find(|setting| setting.key == key) else {
            let keys: Vec<_> = known().map(|setting| &*setting.key).collect();
            let help = match keys.as_slice() {
                [] => "it has no values here".to_owned(),
                keys => format!("known here: {}", keys.join(", ")),
            };
            let sentence = format!("unknown value `{key}`");
            found.push(ValueError::new(key.to_owned(), sentence).help(help));
            continue;
        };
        if let Some(form) = setting.kind.misfit(text) {
            // The text is not repeated: it may come from the environment and be a secret.
            found.push(ValueError::new(setting.key.clone(), format!("{key} must be {form}")));
        }
    }
    found
}
