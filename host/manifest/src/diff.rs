//! Desired minus actual: the steps that lead from one manifest to another.

use std::collections::HashMap;
use std::hash::Hash;

use crate::source::Spanned;
use crate::spec::{ActorSpec, BindingSpec, HostSpec, Manifest, ProviderSpec, TextPairs, TrustSpec};

/// One thing to do. Whoever takes the steps may stop at the first that fails: everything started
/// until then can stay, and a new [`diff`] goes on from there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Name or labels changed; nothing is restarted.
    SetIdentity {
        /// The new name.
        name: Option<Spanned<String>>,
        /// All labels.
        labels: TextPairs,
    },
    /// The host's own settings changed.
    SetHost(HostSpec),
    /// The trust list changed; actors it no longer admits stop at once.
    SetTrust(TrustSpec),
    /// A provider that is not there yet.
    StartProvider(Spanned<ProviderSpec>),
    /// A provider of that name with another kind or configuration takes the old one's place, and
    /// the bindings that stand on it go over.
    ReplaceProvider(Spanned<ProviderSpec>),
    /// An actor that is not there yet.
    StartActor(Spanned<ActorSpec>),
    /// A changed actor takes the place of the one with that id, and its bindings go over.
    ReplaceActor {
        /// [`ActorSpec::id`] of the one that runs.
        old: String,
        /// What shall run.
        new: Spanned<ActorSpec>,
    },
    /// A binding that shall go.
    Unbind(Spanned<BindingSpec>),
    /// A binding of that id with another provider or configuration.
    Rebind(Spanned<BindingSpec>),
    /// A binding that is not there yet.
    Bind(Spanned<BindingSpec>),
    /// An actor that shall go, by [`ActorSpec::id`].
    StopActor(String),
    /// A provider that shall go, by name.
    StopProvider(String),
}

/// The steps from `actual` to `desired`, in an order in which each finds what it needs.
///
/// New providers and actors start before old ones stop. Bindings go before new ones come, because
/// two bindings may want the same port or route, and because the same contract may be written
/// under another of its names. What did not change gets no step, so equal manifests give none.
#[must_use]
pub fn diff(actual: &Manifest, desired: &Manifest) -> Vec<Step> {
    let mut steps = settings(actual, desired);
    let providers = Changes::between(&actual.providers, &desired.providers, |it| &it.name.value);
    let bindings = Changes::between(&actual.bindings, &desired.bindings, |it| it.id());
    let mut actors = Changes::between(&actual.actors, &desired.actors, |it| it.id());
    let renamed = renamed(&mut actors);

    steps.extend(providers.new.into_iter().cloned().map(Step::StartProvider));
    steps.extend(providers.changed.into_iter().map(|(_, new)| Step::ReplaceProvider(new.clone())));
    steps.extend(actors.new.into_iter().cloned().map(Step::StartActor));
    steps.extend(
        actors
            .changed
            .into_iter()
            .chain(renamed)
            .map(|(old, new)| Step::ReplaceActor { old: old.id().to_owned(), new: new.clone() }),
    );
    steps.extend(bindings.gone.into_iter().cloned().map(Step::Unbind));
    steps.extend(bindings.changed.into_iter().map(|(_, new)| Step::Rebind(new.clone())));
    steps.extend(bindings.new.into_iter().cloned().map(Step::Bind));
    steps.extend(actors.gone.into_iter().map(|old| Step::StopActor(old.id().to_owned())));
    steps.extend(providers.gone.into_iter().map(|old| Step::StopProvider(old.name.value.clone())));
    steps
}

fn settings(actual: &Manifest, desired: &Manifest) -> Vec<Step> {
    let mut steps = Vec::new();
    if (&actual.name, &actual.labels) != (&desired.name, &desired.labels) {
        let (name, labels) = (desired.name.clone(), desired.labels.clone());
        steps.push(Step::SetIdentity { name, labels });
    }
    if actual.host != desired.host {
        steps.push(Step::SetHost(desired.host.clone()));
    }
    if actual.trust != desired.trust {
        steps.push(Step::SetTrust(desired.trust.clone()));
    }
    steps
}

/// Takes from the actors that come and go those that are the same image under another name: a host
/// runs one module once, so the new cannot start beside the old. (Two actors that exchange their
/// images are beyond this; the host refuses the second while the first runs.)
fn renamed<'m>(
    actors: &mut Changes<'m, ActorSpec>,
) -> Vec<(&'m Spanned<ActorSpec>, &'m Spanned<ActorSpec>)> {
    let mut pairs = Vec::new();
    actors.new.retain(|new| {
        let Some(index) = actors.gone.iter().position(|old| old.image == new.image) else {
            return true;
        };
        pairs.push((actors.gone.remove(index), *new));
        false
    });
    pairs
}

/// What is in one list and not in the other, or differs.
struct Changes<'m, T> {
    new: Vec<&'m Spanned<T>>,
    changed: Vec<(&'m Spanned<T>, &'m Spanned<T>)>,
    gone: Vec<&'m Spanned<T>>,
}

impl<'m, T: PartialEq> Changes<'m, T> {
    /// Compares by what `id` says; both lists have each id once.
    fn between<I: Eq + Hash>(
        actual: &'m [Spanned<T>],
        desired: &'m [Spanned<T>],
        id: impl Fn(&'m T) -> I,
    ) -> Self {
        let mut standing: HashMap<I, &'m Spanned<T>> =
            actual.iter().map(|old| (id(&old.value), old)).collect();
        let mut changes = Self { new: Vec::new(), changed: Vec::new(), gone: Vec::new() };
        for new in desired {
            match standing.remove(&id(&new.value)) {
                None => changes.new.push(new),
                Some(old) if old != new => changes.changed.push((old, new)),
                Some(_) => {}
            }
        }
        let stays_gone = |old: &&'m Spanned<T>| standing.contains_key(&id(&old.value));
        changes.gone = actual.iter().filter(stays_gone).collect();
        changes
    }
}
