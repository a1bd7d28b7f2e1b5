//! What a module says it speaks, for whoever looks at it.

use std::fmt;

use super::names;
use crate::shape::ModuleShape;

/// waPC as a module writes it, whether or not it can be served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Dialect {
    /// The module name the host functions come from.
    name: &'static str,
    /// Parameters of `__host_call`; `None` when the module makes no host calls.
    arity: Option<usize>,
}

impl Dialect {
    /// `None` for a module that neither imports from waPC nor exports its entry.
    pub(crate) fn of(shape: &ModuleShape) -> Option<Self> {
        let arity = shape
            .imports
            .iter()
            .find(|import| import.name == names::HOST_CALL)
            .and_then(|import| import.function.as_ref())
            .map(|ty| ty.params.len());
        let imports_from = |module: &str| shape.imports.iter().any(|i| i.module == module);
        let is_guest = shape.exported_function(names::GUEST_CALL).is_some();
        if imports_from(names::WASMBUS) {
            Some(Self { name: names::WASMBUS, arity })
        } else if imports_from(names::WAPC) || is_guest {
            Some(Self { name: names::WAPC, arity })
        } else {
            None
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.arity {
            None => write!(f, "{}, no host calls", self.name),
            Some(arity) => write!(f, "{}, host call with {arity} arguments", self.name),
        }
    }
}
