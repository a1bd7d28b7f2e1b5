//! What a module is held against before it is compiled.

use trellis_limits::ActorLimits;

/// The limits that a check of a module depends on, and no others: what was found under some holds
/// under all that [allow as much](Self::allow_all_of).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ModuleBounds {
    pub(crate) module_bytes_max: u64,
    pub(crate) module_functions_max: u32,
    pub(crate) module_locals_max: u32,
    pub(crate) memory_bytes_max: u64,
    pub(crate) table_elements_max: u32,
}

impl ModuleBounds {
    /// Those among the limits of an actor.
    #[must_use]
    pub const fn of(limits: &ActorLimits) -> Self {
        Self {
            module_bytes_max: limits.module_bytes_max,
            module_functions_max: limits.module_functions_max,
            module_locals_max: limits.module_locals_max,
            memory_bytes_max: limits.memory_bytes_max,
            table_elements_max: limits.table_elements_max,
        }
    }

    /// True when whatever `other` allows is allowed here.
    #[must_use]
    pub fn allow_all_of(&self, other: &Self) -> bool {
        self.capped_by(other) == *other
    }

    /// These bounds, none above `caps`.
    pub(crate) fn capped_by(&self, caps: &Self) -> Self {
        Self {
            module_bytes_max: self.module_bytes_max.min(caps.module_bytes_max),
            module_functions_max: self.module_functions_max.min(caps.module_functions_max),
            module_locals_max: self.module_locals_max.min(caps.module_locals_max),
            memory_bytes_max: self.memory_bytes_max.min(caps.memory_bytes_max),
            table_elements_max: self.table_elements_max.min(caps.table_elements_max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bound_that_is_smaller_allows_less() {
        let usual = ActorLimits::default();
        let bounds = ModuleBounds::of(&usual);
        let smaller = [
            ActorLimits { module_bytes_max: 1, ..usual.clone() },
            ActorLimits { module_functions_max: 1, ..usual.clone() },
            ActorLimits { module_locals_max: 1, ..usual.clone() },
            ActorLimits { memory_bytes_max: 1, ..usual.clone() },
            ActorLimits { table_elements_max: 1, ..usual.clone() },
        ];
        for smaller in smaller.iter().map(ModuleBounds::of) {
            assert!(bounds.allow_all_of(&smaller), "{smaller:?}");
            assert!(!smaller.allow_all_of(&bounds), "{smaller:?}");
        }
        let other = ActorLimits { call_depth_max: 1, instances_max: 1, ..usual };
        assert!(ModuleBounds::of(&other).allow_all_of(&bounds), "no module is held against these");
    }
}
