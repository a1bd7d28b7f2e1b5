//! What is known of a change of one thing before it is made: without starting anything, and without
//! a look into any store.

use trellis_control::ComponentKind;
use trellis_core::{CallError, Code};
use trellis_providers_sdk::{Kind, Setting, SettingKind};

use crate::actual::RunningProvider;
use crate::border;
use crate::change::replay::asked;
use crate::prepare::{Prepared, PreparedProvider};
use crate::supervisor::Supervisor;

/// What a provider that takes the place of another has of what that one keeps, if nothing is
/// copied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inherits {
    /// All of it, or there is nothing to have.
    All,
    /// What is there already, in a place of its own.
    Other,
    /// Nothing: it begins empty, in memory.
    Nothing,
}

impl Supervisor {
    /// What this has of what the one keeps that runs under its name, or that is stopped.
    #[must_use]
    pub fn inherits(&self, prepared: &Prepared, subject: (ComponentKind, &str)) -> Inherits {
        let (ComponentKind::Provider, name) = subject else { return Inherits::All };
        let Some(new) = provider(prepared, name) else { return Inherits::All };
        let running = self.shared.look(|actual| {
            actual.providers.get(name).map(|running| inherits(&running.prepared, new))
        });
        running.unwrap_or_else(|| {
            let wanted = self.shared.wanted.load_full();
            let before = wanted.as_ref().and_then(|wanted| provider(&wanted.prepared, name));
            before.map_or(Inherits::All, |before| inherits(before, new))
        })
    }

    /// True when what runs under this name can be asked what it keeps, and of whom.
    #[must_use]
    pub fn tells_what_it_keeps(&self, (kind, name): (ComponentKind, &str)) -> bool {
        let tells = |it: &RunningProvider| it.prepared.descriptor.data.is_some();
        kind == ComponentKind::Provider
            && self.shared.look(|actual| actual.providers.get(name).is_some_and(tells))
    }

    /// Whether what a provider keeps could go along to this one, as far as the two say themselves.
    ///
    /// # Errors
    /// [`Code::Data`] when it certainly cannot.
    pub fn check_moves(&self, prepared: &Prepared, name: &str) -> Result<(), CallError> {
        let Some(new) = provider(prepared, name) else { return Ok(()) };
        if prepared.stopped.has_provider(name) {
            return Err(nobody(name));
        }
        self.shared.look(|actual| match actual.providers.get(name) {
            Some(running) if !border::contested(&running.prepared, new).is_empty() => {
                Err(held_already())
            }
            Some(running) => check_contracts(&running.prepared, new),
            None => Err(nobody(name)),
        })
    }

    /// How many calls that were kept this actor would have to answer before it serves, when so
    /// many are asked for; `None` is all.
    ///
    /// # Errors
    /// [`Code::Replay`] when some are asked for and none were kept.
    pub fn replays(
        &self,
        prepared: &Prepared,
        actor: &str,
        calls: Option<u32>,
    ) -> Result<usize, CallError> {
        let Some(new) = prepared.actors.iter().find(|it| *it.name == *actor) else { return Ok(0) };
        let calls = asked(&self.shared, new, calls)?;
        Ok(calls.map_or(0, |(kept, most)| kept.len().min(most)))
    }
}

/// Both have to name the same contract for what they keep.
///
/// # Errors
/// [`Code::Data`].
pub(crate) fn check_contracts(
    old: &PreparedProvider,
    new: &PreparedProvider,
) -> Result<(), CallError> {
    let (from, to) = (&old.descriptor.data, &new.descriptor.data);
    if from.is_some() && from == to {
        return Ok(());
    }
    let text = "one of the two has no way to give out what it keeps, or to take it in; without \
                `--data` the data stay where they are";
    Err(CallError::new(Code::Data, text))
}

/// That there is nothing to copy between two that hold the same.
pub(crate) fn held_already() -> CallError {
    let text = "it is to hold what the one before holds, so its data are there already; leave \
                `--data` out";
    CallError::new(Code::Data, text)
}

/// That there is nothing to copy from, or to.
pub(crate) fn nobody(name: &str) -> CallError {
    let text = format!(
        "provider {name} does not run, now or then, so nothing can be copied: start it first \
         (`trellis start provider {name}`); of what it was before a stop, go back to that with \
         `trellis rollback {name} --to REVISION`"
    );
    CallError::new(Code::Data, text)
}

fn provider<'a>(prepared: &'a Prepared, name: &str) -> Option<&'a PreparedProvider> {
    prepared.providers.iter().find(|it| *it.name == *name)
}

fn inherits(old: &PreparedProvider, new: &PreparedProvider) -> Inherits {
    let is_kind = new.is_kind_of(old);
    let nothing_to_have = !may_keep(old) && !may_keep(new);
    if nothing_to_have || is_kind && is_same_place(old, new) {
        return Inherits::All;
    }
    match (is_in_memory(old), is_in_memory(new)) {
        // Its instances hold it together.
        (true, true) if is_kind => Inherits::All,
        (_, true) => Inherits::Nothing,
        (_, false) if border::contested(old, new).is_empty() => Inherits::Other,
        (_, false) => Inherits::All,
    }
}

/// A part of the host says whether it keeps anything.
fn may_keep(provider: &PreparedProvider) -> bool {
    provider.descriptor.stateful || provider.factory.kind() != Kind::Builtin
}

/// True when only such values differ as lead nowhere: times, sizes and, of a part of the host,
/// other numbers.
fn is_same_place(old: &PreparedProvider, new: &PreparedProvider) -> bool {
    let is_number = |setting: &Setting| match setting.kind {
        SettingKind::Duration | SettingKind::Size => true,
        SettingKind::Integer { .. } => new.factory.kind() == Kind::Builtin,
        _ => false,
    };
    let differs = |key: &str| old.values.get(key) != new.values.get(key);
    let keys = old.values.iter().chain(new.values.iter()).map(|(key, _)| key);
    { keys }
        .filter(|key| differs(key))
        .all(|key| new.descriptor.setting(key).is_some_and(is_number))
}

/// True when a store names no file although it could.
pub(crate) fn is_in_memory(provider: &PreparedProvider) -> bool {
    let names_none = |setting: &Setting| {
        let SettingKind::Path(words) = &setting.kind else { return false };
        let value = provider.values.get(&setting.key).or(setting.default.as_deref());
        value.is_some_and(|value| words.iter().any(|word| word == value))
    };
    provider.descriptor.stateful && provider.descriptor.settings.iter().any(names_none)
}
