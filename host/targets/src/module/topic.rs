//! On whose behalf an instance asks the host: in a call over a binding, or while it is told of one.

use trellis_providers_sdk::BindingId;

/// Set while an instance is told of a binding. No binding has a number that large.
const TELLING: u64 = 1 << 63;

/// What an instance is told about, in the words of the engine.
pub(super) const fn topic(id: BindingId) -> u64 {
    id.0 | TELLING
}

/// The binding of a topic, or of a call.
pub(super) const fn binding_of(caller: u64) -> BindingId {
    BindingId(caller & !TELLING)
}

/// True for what is asked while the instance is told of a binding.
pub(super) const fn is_told(caller: u64) -> bool {
    caller & TELLING != 0
}
