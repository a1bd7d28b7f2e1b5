//! Providers as they are seen from outside.

use std::collections::BTreeMap;

use trellis_control::{Condition, ProcessEntry, ProviderEntry, ProviderKind, REDACTED};
use trellis_entitlements::TargetId;
use trellis_providers_sdk::{Descriptor, Kind, Values};

use crate::actual::RunningProvider;
use crate::border::Instance;
use crate::prepare::PreparedProvider;

use super::reasons::Reasons;
use super::signed::signed;

/// A provider that runs or is wanted.
pub(super) struct SeenProvider {
    prepared: PreparedProvider,
    /// `None` when it does not run.
    instance: Option<Instance>,
}

impl From<PreparedProvider> for SeenProvider {
    fn from(prepared: PreparedProvider) -> Self {
        Self { prepared, instance: None }
    }
}

impl SeenProvider {
    pub(super) fn running(
        running: &RunningProvider,
        instances: &BTreeMap<TargetId, Instance>,
    ) -> Self {
        let instance = instances.get(&running.target).filter(|_| running.broken.is_none());
        Self { prepared: running.prepared.clone(), instance: instance.cloned() }
    }

    pub(super) const fn runs(&self) -> bool {
        self.instance.is_some()
    }

    /// True when it may be bound to others itself.
    pub(super) const fn may_call(&self) -> bool {
        self.prepared.module.is_some()
    }

    pub(super) fn descriptor(&self) -> &Descriptor {
        &self.prepared.descriptor
    }

    pub(super) fn into_entry(self, reasons: &Reasons<'_>) -> ProviderEntry {
        let Self { prepared, instance } = self;
        let signed = signed(&prepared);
        let PreparedProvider { name, factory, descriptor, values, .. } = prepared;
        let what = [format!("provider {name}")];
        let why = reasons.about(&what);
        let state = Condition::of(instance.is_some(), &why);
        let state = state.unless_stopped(reasons.stopped.has_provider(&name));
        let process = instance.as_ref().and_then(Instance::process);
        ProviderEntry {
            name: name.to_string(),
            state,
            waits_for: reasons.others_awaited(state, &what[0]),
            reasons: why,
            kind: match factory.kind() {
                Kind::Builtin => ProviderKind::Builtin,
                Kind::Process => ProviderKind::Process,
                Kind::Module => ProviderKind::Module,
            },
            implementation: descriptor.name.to_string(),
            version: descriptor.version.to_string(),
            signed,
            contracts: descriptor.contracts.iter().map(|it| it.id.to_string()).collect(),
            values: shown(&values, &descriptor),
            process: process.map(|it| ProcessEntry { pid: it.id, restarts: it.restarts }),
            edit: None,
        }
    }
}

/// Values for everybody's eyes. One that no setting describes may be anything.
pub(super) fn shown(values: &Values, descriptor: &Descriptor) -> BTreeMap<String, String> {
    let shown = |(key, value): (&str, &str)| {
        let setting = descriptor.setting(key).filter(|setting| !setting.may_be_secret());
        (key.to_owned(), setting.map_or(REDACTED, |_| value).to_owned())
    };
    values.iter().map(shown).collect()
}
