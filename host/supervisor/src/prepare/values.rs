//! The values a manifest gives: paths resolved, then each provider asked what is wrong with all
//! that is wanted of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt};
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use trellis_core::{CallError, Code};
use trellis_manifest::{Manifest, Problem, ProviderSpec, SourceText, Span, Spanned, TextPairs};
use trellis_providers_sdk::{
    Descriptor, Finding, Place, Scope, Setting, SettingKind, ValueProblem, Values, Wanted,
    WantedBinding, validate,
};

use super::bindings::Written;
use super::context::PrepareContext;
use super::parts::PreparedProvider;
use super::providers::Providers;

/// How long a check waits for what values name, such as a file: its disk may hang.
const SURVEY_TIME_MAX: Duration = Duration::from_secs(5);
/// Most kinds of providers that are asked at once: each may have a program started.
const KINDS_MAX: usize = 16;

/// Where values were written, for the caret.
#[derive(Clone, Copy)]
struct Origin<'a> {
    source: &'a SourceText,
    /// The values, when there is a place for them in the manifest.
    own: Option<&'a TextPairs>,
    /// The whole of what they belong to.
    whole: Span,
    scope: Scope,
}

/// One provider that is asked about all that is wanted of it.
struct Asked<'a> {
    provider: &'a PreparedProvider,
    /// The places of its bindings.
    bound: Vec<usize>,
    wanted: Wanted,
}

/// What one said.
struct Judged<'a> {
    provider: &'a PreparedProvider,
    bound: Vec<usize>,
    wrong: Result<Vec<ValueProblem>, CallError>,
    /// What it found when it looked; `None` when it was not asked to.
    found: Option<Result<Vec<Finding>, Elapsed>>,
}

/// Resolves every path and reports every wrong value. A check that no start follows has right
/// ones looked at as well, and adds what is worth a word to `notes`.
pub(super) async fn prepare(
    (manifest, source): (&Manifest, &SourceText),
    (providers, bindings): (&mut Providers, &mut [Written<'_>]),
    context: &PrepareContext<'_>,
    (problems, notes): (&mut Vec<Problem>, &mut Vec<Problem>),
) {
    let mut of_provider: BTreeMap<Arc<str>, Vec<usize>> = BTreeMap::new();
    for (index, written) in bindings.iter_mut().enumerate() {
        let Some(provider) = providers.get(&written.binding.provider) else { continue };
        resolve(&mut written.binding.values, &provider.descriptor, context.folder);
        of_provider.entry(Arc::clone(&provider.name)).or_default().push(index);
    }
    let mut of_kind: BTreeMap<String, Vec<Asked<'_>>> = BTreeMap::new();
    for provider in providers.values_mut() {
        resolve(&mut provider.values, &provider.descriptor, context.folder);
        let bound = of_provider.remove(&provider.name).unwrap_or_default();
        let wanted = Wanted {
            provider: provider.name.to_string(),
            values: provider.values.clone(),
            bindings: bound.iter().map(|index| wanted(&bindings[*index])).collect(),
            host_addresses: context.host_addresses.clone(),
            beside: Vec::new(),
        };
        let kind = provider.descriptor.name.to_string();
        of_kind.entry(kind).or_default().push(Asked { provider, bound, wanted });
    }
    // Boxed one by one: the compiler cannot tell that a stream of bare ones may change threads.
    let judged: Vec<BoxFuture<'_, _>> =
        of_kind.into_values().map(|kind| judge(kind, context.survey).boxed()).collect();
    let judged: Vec<_> = stream::iter(judged).buffer_unordered(KINDS_MAX).collect().await;
    let mut judged: Vec<_> = judged.into_iter().flatten().collect();
    judged.sort_by(|one, other| one.provider.name.cmp(&other.provider.name));
    let specs: BTreeMap<&str, _> =
        manifest.providers.iter().map(|spec| (spec.value.name.value.as_str(), spec)).collect();
    for one in judged {
        let spec = specs.get(&*one.provider.name).copied();
        one.report((source, bindings, spec), problems, notes);
    }
}

/// Asks those of one kind, one after the other: each is told of those before it.
async fn judge(kind: Vec<Asked<'_>>, surveys: bool) -> Vec<Judged<'_>> {
    let mut judged = Vec::new();
    let mut beside = Vec::new();
    for Asked { provider, bound, mut wanted } in kind {
        wanted.beside = beside;
        let wrong = validate::problems(&*provider.factory, &wanted).await;
        let looks = surveys && wrong.as_ref().is_ok_and(Vec::is_empty);
        let found = match looks.then(|| provider.factory.survey(wanted.clone())) {
            Some(survey) => Some(timeout(SURVEY_TIME_MAX, survey).await),
            None => None,
        };
        beside = std::mem::take(&mut wanted.beside);
        beside.push(wanted);
        judged.push(Judged { provider, bound, wrong, found });
    }
    judged
}

impl Judged<'_> {
    fn report(
        self,
        (source, bindings, spec): (&SourceText, &[Written<'_>], Option<&Spanned<ProviderSpec>>),
        problems: &mut Vec<Problem>,
        notes: &mut Vec<Problem>,
    ) {
        let Self { provider, bound, wrong, found } = self;
        let told = |problem: ValueProblem| {
            let binding = match problem.place {
                Place::Binding(index) => bound.get(index),
                // A provider nobody wrote, because its contract binds itself.
                Place::Provider if spec.is_none() => bound.first(),
                Place::Provider => None,
            };
            let origin = Origin::of(source, binding.map(|index| &bindings[*index]), spec);
            origin.problem(problem, &provider.descriptor)
        };
        let span = spec.map(|spec| spec.span).unwrap_or_default();
        match wrong {
            Ok(wrong) => problems.extend(wrong.into_iter().map(told)),
            Err(error) => {
                let problem = Problem::new(span, error.message().to_owned()).code(error.code());
                problems.push(problem);
            }
        }
        match found {
            None => {}
            Some(Ok(findings)) => {
                for Finding { about, hinders } in findings {
                    let list = if hinders { &mut *problems } else { &mut *notes };
                    list.push(told(about).code(Code::Storage));
                }
            }
            Some(Err(_)) => {
                let text = format!(
                    "what provider `{}` names does not answer within {} s: it was not looked at",
                    provider.name,
                    SURVEY_TIME_MAX.as_secs()
                );
                notes.push(Problem::new(span, text));
            }
        }
    }
}

impl<'a> Origin<'a> {
    /// The values of a binding, or without one those of its provider.
    fn of(
        source: &'a SourceText,
        binding: Option<&Written<'a>>,
        provider: Option<&'a Spanned<ProviderSpec>>,
    ) -> Self {
        match binding {
            Some(written) => {
                let own = written.spec.map(|spec| &spec.values);
                Self { source, own, whole: written.span, scope: Scope::Binding }
            }
            None => {
                let own = provider.map(|spec| &spec.value.values);
                let whole = provider.map_or(Span::default(), |spec| spec.span);
                Self { source, own, whole, scope: Scope::Provider }
            }
        }
    }

    fn problem(&self, problem: ValueProblem, descriptor: &Descriptor) -> Problem {
        let error = problem.error;
        let key = &*error.key;
        let mut pairs = self.own.into_iter().flatten();
        let written = pairs.find(|(written, _)| written.value == key);
        let known = || descriptor.settings.iter().filter(|setting| setting.stands_at(self.scope));
        if let Some((written, _)) = written
            && !known().any(|setting| setting.key == key)
        {
            let keys = known().map(|setting| &*setting.key);
            return Problem::unknown(written.span, "value", key, keys).code(Code::Config);
        }
        let span = written.map_or(self.whole, |(key, _)| key.span);
        let stands = written.filter(|(_, value)| self.stands(value)).map(|(_, value)| &**value);
        let misfit = stands.filter(|value| is_misfit(value, descriptor.setting(key)));
        let message = match (misfit, stands.and(error.shown)) {
            (Some(value), _) => format!("{}, not `{value}`", error.message),
            (None, shown) => error.message + shown.as_deref().unwrap_or(""),
        };
        let mut told = Problem::new(span, message).code(Code::Config);
        told.help = error.help;
        told
    }

    /// True for a value that stands in the manifest as it is: what comes from the environment may
    /// be a secret.
    fn stands(&self, value: &Spanned<String>) -> bool {
        let Span { start, len } = value.span;
        let written = self.source.text.get(start..start.saturating_add(len));
        written.is_some_and(|written| written.trim_matches(['"', '\'']) == value.value)
    }
}

/// True for a value of the wrong form that is no secret, as a text may be wherever it stands.
fn is_misfit(value: &str, setting: Option<&Setting>) -> bool {
    let of_form = setting.filter(|it| !matches!(it.kind, SettingKind::Text | SettingKind::Path(_)));
    of_form.is_some_and(|setting| setting.kind.misfit(value).is_some())
}

fn wanted(written: &Written<'_>) -> WantedBinding {
    let binding = &written.binding;
    WantedBinding {
        actor: binding.actor.to_string(),
        contract: binding.contract.id.clone(),
        name: binding.name.clone(),
        values: binding.values.clone(),
    }
}

/// Lets relative paths start at the manifest's folder, as those of modules do.
fn resolve(values: &mut Values, descriptor: &Descriptor, folder: &Path) {
    for setting in descriptor.settings.iter() {
        let SettingKind::Path(words) = &setting.kind else { continue };
        let Some(text) = values.get(&setting.key) else { continue };
        if setting.kind.misfit(text).is_some() || words.iter().any(|word| word == text) {
            continue;
        }
        // A folder whose name is no text cannot be handed over; the path is then taken from where
        // the host runs, as it is written.
        if let Some(path) = folder.join(text).to_str() {
            *values = values.clone().with(setting.key.as_ref(), path);
        }
    }
}
