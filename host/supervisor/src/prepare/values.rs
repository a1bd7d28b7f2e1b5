//! The values a manifest gives: paths resolved, then each provider asked what is wrong with all
//! that is wanted of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use trellis_core::Code;
use trellis_manifest::{Manifest, Problem, Span, TextPairs};
use trellis_providers_sdk::{
    Descriptor, Place, Scope, SettingKind, ValueProblem, Values, Wanted, WantedBinding, validate,
};

use super::links::Written;
use super::providers::Providers;

/// Where values were written, for the caret.
#[derive(Clone, Copy)]
struct Origin<'a> {
    /// The values, when there is a place for them in the manifest.
    pairs: Option<&'a TextPairs>,
    /// The whole of what they belong to.
    whole: Span,
    scope: Scope,
}

/// Resolves every path and reports every wrong value.
pub(super) fn prepare(
    manifest: &Manifest,
    (providers, links): (&mut Providers, &mut [Written<'_>]),
    folder: &Path,
    problems: &mut Vec<Problem>,
) {
    let specs: BTreeMap<&str, _> =
        manifest.providers.iter().map(|spec| (spec.value.name.value.as_str(), spec)).collect();
    let mut of_provider: BTreeMap<Arc<str>, Vec<usize>> = BTreeMap::new();
    for (index, written) in links.iter_mut().enumerate() {
        let Some(provider) = providers.get(&written.link.provider) else { continue };
        resolve(&mut written.link.values, &provider.descriptor, folder);
        of_provider.entry(Arc::clone(&provider.name)).or_default().push(index);
    }
    for provider in providers.values_mut() {
        resolve(&mut provider.values, &provider.descriptor, folder);
        let bound: &[usize] = of_provider.get(&provider.name).map_or(&[], Vec::as_slice);
        let bindings = bound.iter().map(|index| wanted(&links[*index])).collect();
        let wanted = Wanted { values: provider.values.clone(), bindings };
        for problem in validate::problems(&*provider.factory, &wanted) {
            let origin = match problem.place {
                Place::Binding(index) => {
                    bound.get(index).map(|index| Origin::of_binding(&links[*index]))
                }
                Place::Provider => specs.get(&*provider.name).map(|spec| Origin {
                    pairs: Some(&spec.value.values),
                    whole: spec.span,
                    scope: Scope::Provider,
                }),
            };
            // A provider nobody wrote, because its contract binds itself.
            let origin =
                origin.or_else(|| bound.first().map(|index| Origin::of_binding(&links[*index])));
            let origin = origin.unwrap_or(Origin {
                pairs: None,
                whole: Span::default(),
                scope: Scope::Provider,
            });
            problems.push(origin.problem(problem, &provider.descriptor));
        }
    }
}

impl<'a> Origin<'a> {
    fn of_binding(written: &Written<'a>) -> Self {
        let pairs = written.spec.map(|spec| &spec.values);
        Self { pairs, whole: written.span, scope: Scope::Binding }
    }

    fn problem(&self, problem: ValueProblem, descriptor: &Descriptor) -> Problem {
        let error = problem.error;
        let mut pairs = self.pairs.into_iter().flatten();
        let span = pairs.find(|(key, _)| key.value == error.key).map(|(key, _)| key.span);
        let known = || descriptor.settings.iter().filter(|setting| setting.stands_at(self.scope));
        if let Some(span) = span
            && !known().any(|setting| setting.key == error.key)
        {
            let keys = known().map(|setting| &*setting.key);
            return Problem::unknown(span, "value", &error.key, keys).code(Code::Config);
        }
        let mut told = Problem::new(span.unwrap_or(self.whole), error.message).code(Code::Config);
        told.help = error.help;
        told
    }
}

fn wanted(written: &Written<'_>) -> WantedBinding {
    let link = &written.link;
    WantedBinding {
        actor: link.actor.to_string(),
        contract: link.contract.id.clone(),
        name: link.binding.clone(),
        values: link.values.clone(),
    }
}

/// Lets relative paths start at the manifest's folder, as those of modules do.
fn resolve(values: &mut Values, descriptor: &Descriptor, folder: &Path) {
    for setting in descriptor.settings.iter() {
        let SettingKind::Path(words) = &setting.kind else { continue };
        let Some(text) = values.get(&setting.key) else { continue };
        if text.is_empty() || words.iter().any(|word| word == text) {
            continue;
        }
        // A folder whose name is no text cannot be handed over; the path is then taken from where
        // the host runs, as it is written.
        if let Some(path) = folder.join(text).to_str() {
            *values = values.clone().with(setting.key.as_ref(), path);
        }
    }
}
