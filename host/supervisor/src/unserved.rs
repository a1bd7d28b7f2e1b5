//! Why bindings that are wanted are not in force, for those who call over them.

use std::collections::HashMap;

use trellis_control::Degraded;
use trellis_entitlements::{Unserved, UnservedBindings};

use crate::actual::ActualState;
use crate::desired::Desired;
use crate::prepare::PreparedBinding;

impl ActualState {
    /// The bindings that are wanted and not in force. When nothing is `degraded` there are none,
    /// but for those that a change is about to bring.
    pub(crate) fn unserved(&self, wanted: &Desired, degraded: &[Degraded]) -> UnservedBindings {
        if degraded.is_empty() {
            return UnservedBindings::default();
        }
        let rows: HashMap<_, _> = degraded.iter().map(|row| (&*row.what, row)).collect();
        let wanted = wanted.prepared.bindings.iter();
        let missing = wanted.filter(|binding| !self.current.contains_key(&binding.key()));
        let unserved = |binding: &PreparedBinding| Unserved {
            actor: binding.actor.clone(),
            contract: binding.contract.clone(),
            name: binding.name.clone(),
            why: why(binding, &rows),
        };
        missing.map(unserved).collect()
    }
}

/// Why it is not bound, or else why its provider does not serve it.
fn why(binding: &PreparedBinding, rows: &HashMap<&str, &Degraded>) -> String {
    let provider = &binding.provider;
    let of = |what: String| rows.get(&*what).map(|row| (row.told().why, row.code));
    if let Some((why, code)) = of(format!("binding of {}", binding.key().to_ref())) {
        return format!("it is not bound: {why} [{code}]");
    }
    match of(format!("provider {provider}")) {
        Some((why, code)) => format!("provider {provider} does not run: {why} [{code}]"),
        None => format!("provider {provider} does not serve it yet"),
    }
}
