//! Why bindings that are wanted are not in force, for those who call over them.

use std::collections::HashMap;

use trellis_control::Degraded;
use trellis_entitlements::{Unserved, UnservedBindings};

use crate::actual::ActualState;
use crate::desired::Desired;
use crate::prepare::PreparedBinding;

/// The bindings that are wanted and not in force. When nothing is `degraded` there are none, but
/// for those that a change is about to bring.
pub(crate) fn unserved(
    desired: Option<&Desired>,
    actual: &ActualState,
    degraded: &[Degraded],
) -> UnservedBindings {
    let Some(desired) = desired.filter(|_| !degraded.is_empty()) else {
        return UnservedBindings::default();
    };
    let rows: HashMap<_, _> = degraded.iter().map(|row| (&*row.what, row)).collect();
    let wanted = desired.prepared.bindings.iter();
    let missing = wanted.filter(|binding| !actual.current.contains_key(&binding.key()));
    let unserved = |binding: &PreparedBinding| Unserved {
        actor: binding.actor.clone(),
        contract: binding.contract.clone(),
        name: binding.name.clone(),
        why: why(binding, &rows),
    };
    missing.map(unserved).collect()
}

/// The provider says more than the binding, which only waits for it.
fn why(binding: &PreparedBinding, rows: &HashMap<&str, &Degraded>) -> String {
    let provider = &binding.provider;
    let of = |what: String| rows.get(&*what).map(|row| (row.told().why, row.code));
    if let Some((why, code)) = of(format!("provider {provider}")) {
        return format!("provider {provider} does not run: {why} [{code}]");
    }
    match of(format!("binding of {}", binding.key().to_ref())) {
        Some((why, code)) => format!("it is not bound: {why} [{code}]"),
        None => format!("provider {provider} does not serve it yet"),
    }
}
