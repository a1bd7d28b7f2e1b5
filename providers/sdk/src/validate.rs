//! What is wrong with a provider's values and those of all its bindings, before anything starts.

use trellis_core::CallError;

use crate::factory::ProviderFactory;
use crate::setting::{Scope, Setting};
use crate::values::{ValueError, Values};
use crate::wanted::{Place, ValueProblem, Wanted};

/// Everything wrong with what is wanted of a provider: first what its descriptor alone tells
/// (unknown keys, wrong forms), then the provider's own rules.
///
/// # Errors
/// Any [`CallError`]: the provider, which is a program of its own, did not say.
pub async fn problems(
    factory: &dyn ProviderFactory,
    wanted: &Wanted,
) -> Result<Vec<ValueProblem>, CallError> {
    let descriptor = factory.descriptor();
    let settings = &descriptor.settings;
    let mut found = Vec::new();
    let mut add = |place, errors: Vec<ValueError>| {
        found.extend(errors.into_iter().map(|error| ValueProblem { place, error }));
    };
    if !descriptor.any_values {
        add(Place::Provider, misfits(&wanted.values, Scope::Provider, settings));
    }
    let bindings = wanted.bindings.iter().enumerate();
    // The actor's own values have keys that no provider knows.
    let free = descriptor.actor_values || descriptor.any_values;
    for (index, binding) in bindings.filter(|_| !free) {
        add(Place::Binding(index), misfits(&binding.values, Scope::Binding, settings));
    }
    let formless = found.len();
    for problem in factory.check(wanted).await? {
        let told = |other: &ValueProblem| {
            other.place == problem.place && other.error.key == problem.error.key
        };
        if !found[..formless].iter().any(told) {
            found.push(problem);
        }
    }
    found.extend(meetings(wanted, settings));
    Ok(found)
}

/// The values that another provider of the kind has too, and only one instance can hold.
fn meetings(wanted: &Wanted, settings: &[Setting]) -> Vec<ValueProblem> {
    let provider = |setting: &&Setting| setting.stands_at(Scope::Provider);
    let meet = settings.iter().filter(provider).filter_map(|setting| {
        let value = held(wanted, setting)?;
        let meets = |other: &&Wanted| {
            held(other, setting).is_some_and(|held| setting.kind.is_same(held, value))
        };
        let other = wanted.beside.iter().find(meets)?;
        let (key, name) = (&setting.key, &other.provider);
        let sentence =
            format!("{key} is the same as that of provider `{name}`, and only one can have it");
        let error = ValueError::new(key.clone(), sentence).help("give each a value of its own");
        Some(ValueProblem { place: Place::Provider, error })
    });
    meet.collect()
}

/// What one instance alone can hold of a setting.
fn held<'a>(wanted: &'a Wanted, setting: &'a Setting) -> Option<&'a str> {
    let value = wanted.values.get(&setting.key).or(setting.default.as_deref())?;
    setting.holds(value).then_some(value)
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

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::setting::SettingKind;

    #[test]
    fn what_only_one_can_hold_is_refused_for_the_second() {
        const WORDS: &[Cow<'static, str>] = &[Cow::Borrowed(":memory:")];
        let path = || SettingKind::Path(Cow::Borrowed(WORDS));
        let settings = [
            Setting::new("PATH", Scope::Provider, path(), Some("/data/default"), "").exclusive(),
            Setting::new("SHARED", Scope::Provider, path(), None, ""),
        ];
        let wanted = |provider: &str, values: &[(&str, &str)], beside: &[Wanted]| Wanted {
            provider: provider.to_owned(),
            values: values.iter().map(|(key, text)| (key.to_string(), text.to_string())).collect(),
            beside: beside.to_vec(),
            ..Wanted::default()
        };
        let shared = ("SHARED", "/data/x");
        let beside = [wanted("one", &[("PATH", "/data/a"), shared], &[]), wanted("two", &[], &[])];
        for (values, met) in [
            (&[("PATH", "/data/a")][..], Some("`one`")),
            (&[("PATH", "/data/./a")], Some("`one`")),
            (&[("PATH", "/data/b"), shared], None),
            (&[("PATH", ":memory:")], None),
            (&[], Some("`two`")),
        ] {
            let found = meetings(&wanted("three", values, &beside), &settings);
            let told: Vec<_> = found.iter().map(|found| &*found.error.message).collect();
            assert_eq!(told.len(), usize::from(met.is_some()), "{values:?}: {told:?}");
            assert!(met.is_none_or(|name| told[0].contains(name)), "{values:?}: {told:?}");
        }
    }
}
