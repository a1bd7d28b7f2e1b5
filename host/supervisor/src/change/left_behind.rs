//! What bindings leave behind that go over to other keys: to another store, or to another part of
//! one. Both are asked which keys they mean, so what is told is what happened, whatever brought it
//! about: an edit, a manifest, or an edit that gave way to one.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use trellis_control::Step;
use trellis_core::{BindingId, CallError, Code};
use trellis_entitlements::TargetId;
use trellis_providers_sdk::SettingKind;
use trellis_providers_sdk::data::DescribeData;

use super::Change;
use super::outcome::Outcome;
use crate::actual::{ActualState, RunningBinding};
use crate::border::Instance;
use crate::foresight::is_in_memory;
use crate::key::BindingKey;
use crate::moving::keyspaces::Names;
use crate::moving::pages::{ask, holds};
use crate::parted::Place;
use crate::prepare::PreparedProvider;

/// Longest look at what stores keep, before a change and after it, for all bindings together:
/// neither a disk that hangs nor ten thousand bindings hold up a change. What a change takes away
/// is in force until it is over, so it is well below the second within which that is to happen.
const LOOK_MAX: Duration = Duration::from_millis(400);

/// Most bindings that one change tells of by name.
const TOLD_MAX: usize = 20;

/// Who serves a binding.
struct At {
    target: TargetId,
    id: BindingId,
    instance: Instance,
    provider: PreparedProvider,
}

impl At {
    /// What serves it, and as which binding.
    fn served(&self) -> (BindingId, u64) {
        (self.id, self.instance.life().id())
    }
}

impl Change {
    /// Which keys those bindings have that this change touches, and that have any.
    pub(super) async fn look_before(&self) -> Vec<Place> {
        let touched = self.touched();
        let until = Instant::now() + LOOK_MAX;
        let mut places = self.come_back();
        for (key, at) in touched {
            let held = in_time(until, async {
                let held = holds(&at.instance, at.id).await?;
                if held { names(&at).await.map(Some) } else { Ok(None) }
            });
            if let Some(names) = held.await.transpose() {
                let was = at.served();
                let At { target, provider, .. } = at;
                places.push(Place { key, was, target, provider, names });
            }
        }
        places
    }

    /// Those that were in force before, and are to be again.
    fn come_back(&self) -> Vec<Place> {
        let bound = self.steps.iter().filter_map(|step| match step {
            Step::Bind { binding, .. } => Some(BindingKey::from_ref(binding)),
            _ => None,
        });
        bound.filter_map(|key| self.shared.parted.take(&key)).collect()
    }

    /// The bindings to stores that other keys may be meant by.
    fn touched(&self) -> Vec<(BindingKey, At)> {
        let (mut providers, mut bindings) = (HashSet::new(), HashSet::new());
        let mut actors = HashSet::new();
        for step in &self.steps {
            match step {
                Step::ReplaceProvider { provider: name, .. }
                | Step::StopProvider { provider: name }
                // It has its former name by now.
                | Step::RenameProvider { was: name, .. } => {
                    providers.insert(&**name);
                }
                Step::Rebind { binding, .. } | Step::Unbind { binding, .. } => {
                    bindings.insert(BindingKey::from_ref(binding));
                }
                Step::StopActor { actor } => {
                    actors.insert(&**actor);
                }
                _ => {}
            }
        }
        if providers.is_empty() && bindings.is_empty() && actors.is_empty() {
            return Vec::new();
        }
        self.shared.look(|actual| {
            let is_touched = |it: &RunningBinding| {
                providers.contains(&*it.prepared.provider)
                    || bindings.contains(&it.key)
                    || actors.contains(&*it.key.actor)
            };
            let current = actual.current.values().filter_map(|id| actual.bindings.get(id));
            let touched = current.filter(|it| is_touched(it));
            let touched = touched.filter_map(|it| Some((it.key.clone(), at(actual, it)?)));
            // Only of those that can tell is there anything to be told.
            let can_tell = |(_, at): &(_, At)| at.provider.descriptor.data.is_some();
            let mut touched: Vec<_> = touched.filter(can_tell).collect();
            touched.sort_by_cached_key(|(key, _)| key.to_ref());
            touched
        })
    }

    /// Tells of those that have other keys now. What went along is nothing that is left behind.
    pub(super) async fn tell_left_behind(&mut self, before: Vec<Place>) {
        let moved: HashSet<_> = self.moved.iter().map(|it| it.provider.clone()).collect();
        self.shared.parted.went_along(|provider| moved.contains(provider));
        let until = Instant::now() + LOOK_MAX;
        let (mut told, mut more) = (Vec::new(), 0);
        for place in before {
            let now = self.shared.look(|actual| {
                let id = actual.current.get(&place.key)?;
                at(actual, actual.bindings.get(id)?)
            });
            let went_along =
                |now: &At| now.target == place.target && moved.contains(&*now.provider.name);
            if now.as_ref().is_some_and(went_along) {
                continue;
            }
            let (stays, is_away) = (self.stays(&place), now.is_none());
            let text = leaves(&place, now, (until, stays)).await;
            if is_away && stays {
                self.shared.parted.keep(place);
                continue;
            }
            let Some(text) = text else { continue };
            match told.len() {
                TOLD_MAX => more += 1,
                _ => told.push((place.key.actor, text)),
            }
        }
        for (actor, text) in told {
            self.shared.lifecycles.left_behind(&actor, &text);
            self.left_behind.push(text);
        }
        if more > 0 {
            let text = format!("{more} more bindings go on with other keys, and are not named");
            self.left_behind.push(text);
        }
    }

    /// Makes way for another change, which is to know of what is not in force by now.
    pub(super) fn leaves_off(self, before: Vec<Place>) -> Outcome {
        let is_away =
            |place: &Place| self.shared.look(|actual| !actual.current.contains_key(&place.key));
        before.into_iter().filter(is_away).for_each(|place| self.shared.parted.keep(place));
        self.makes_way()
    }

    /// True unless what a store kept went with it: in memory it belongs to all that follow one
    /// another there.
    fn stays(&self, place: &Place) -> bool {
        let Place { target, provider, .. } = place;
        let follows = |now: &PreparedProvider| is_in_memory(now) && now.is_kind_of(provider);
        !is_in_memory(provider)
            || self.shared.look(|actual| {
                let mut providers = actual.providers.values();
                providers.any(|it| it.target == *target && follows(&it.prepared))
            })
    }
}

/// What there is to say of a binding that `now` leads there.
async fn leaves(place: &Place, now: Option<At>, (until, stays): (Instant, bool)) -> Option<String> {
    let (actor, from) = (&place.key.actor, &place.provider.name);
    let Some(now) = now else {
        // It was taken away, and its keys are where they were.
        let text = format!(
            "what provider {from} kept for {actor} was in memory and is gone with it; \
                 `trellis kv export` before and `trellis kv import` after it keep such keys"
        );
        return (!stays).then_some(text);
    };
    // The change did not come about, or not there.
    if now.served() == place.was {
        return None;
    }
    let there = in_time(until, names(&now)).await;
    let (here, there) = match (&place.names, there) {
        (Ok(here), Ok(there)) if *here == there => return None,
        (here, there) => (here.as_ref().err().cloned(), there.err()),
    };
    if let Some(error) = here.or(there) {
        let text = format!(
            "whether {actor} goes on with the keys that it had in provider {from} is not \
                 known: {}",
            error.message()
        );
        return Some(text);
    }
    let left = if stays {
        let kind = shown(&place.provider);
        format!("stay in the store that provider {from} was for it ({kind})")
    } else {
        "were in memory and are gone".to_owned()
    };
    let (provider, kind) = (&now.provider.name, shown(&now.provider));
    Some(format!(
        "{actor} goes on without the keys that it had: they {left}, since the data do not move \
             by themselves. It has what provider {provider} ({kind}) holds for it, if \
             anything. {BACK}; {TAKES_ALONG}"
    ))
}

const BACK: &str = "To have them again, put back what was before (`trellis rollback`, or the \
                    manifest as it was), for as long as they are there";
const TAKES_ALONG: &str = "with an update `--data copy` copies them, otherwise `trellis kv export` \
                           before and `trellis kv import` after it";

fn at(actual: &ActualState, binding: &RunningBinding) -> Option<At> {
    let target = binding.spec.target;
    let provider = actual.providers.get(&binding.prepared.provider)?;
    let prepared = &provider.prepared;
    Some(At {
        target,
        id: binding.spec.id,
        instance: actual.instances.get(&target)?.clone(),
        provider: prepared.clone(),
    })
}

/// What a provider is, and which file it has where it may have one; nothing else of its values,
/// which may be secret.
fn shown(provider: &PreparedProvider) -> String {
    let descriptor = &provider.descriptor;
    let place = descriptor.settings.iter().find_map(|setting| {
        let SettingKind::Path(words) = &setting.kind else { return None };
        let value = provider.values.get(&setting.key).or(setting.default.as_deref())?;
        let is_word = words.iter().any(|word| word == value);
        Some(if is_word { "memory".to_owned() } else { value.to_owned() })
    });
    let name = &descriptor.name;
    place.map_or_else(|| name.to_string(), |place| format!("{name}: {place}"))
}

async fn names(at: &At) -> Result<Names, CallError> {
    Ok(ask::<DescribeData>(&at.instance, at.id, &()).await?.into())
}

async fn in_time<T>(
    until: Instant,
    look: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    timeout_at(until, look).await.unwrap_or_else(|_| {
        let text = format!("there was no answer within {} ms", LOOK_MAX.as_millis());
        Err(CallError::new(Code::Timeout, text))
    })
}
