//! The waPC ABI: eight host functions, one guest function, all numbers 32 bits.
//!
//! Source: the `wapc` crate's names and wire.md section 2.

pub(crate) mod imports;
pub(crate) mod memory;
pub(crate) mod start;

use trellis_core::{CallError, Code};
pub(crate) use wapc::wapc_functions as names;

use crate::shape::{FunctionType, ModuleShape, ValueType};

/// The module names the host functions are imported from: waPC's own, and that of wasmCloud OTP.
pub(crate) const NAMESPACES: [&str; 2] = ["wapc", "wasmbus"];
/// The guest's memory.
pub(crate) const MEMORY: &str = "memory";
/// WASI reactors' start function.
pub(crate) const INITIALIZE: &str = "_initialize";

/// How many parameters `__host_call` has. Three forms occur in signed modules; each is a separate
/// import type, so the import says which one a module speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Arity {
    /// Binding, namespace, operation, payload (since 2020-03-30); also modules without host calls.
    Eight,
}

impl Arity {
    /// Chooses by the type of the import, or says why it cannot be served.
    fn of(import: &FunctionType) -> Result<Self, CallError> {
        let results = import.results == [ValueType::I32];
        match import.params.len() {
            8 if results && import.is_all_i32() => Ok(Self::Eight),
            count @ (4 | 6) if results && import.is_all_i32() => Err(CallError::new(
                Code::ModuleAbi,
                format!(
                    "`__host_call` has {count} parameters, the form used before 2020-03-30; this \
                     host serves the form with 8: build the actor with a newer guest SDK"
                ),
            )),
            _ => Err(CallError::new(
                Code::ModuleAbi,
                format!("the import `__host_call` has the type {import}, expected 8 x i32 -> i32"),
            )),
        }
    }
}

/// The type a host function must be imported with; `None` for a name waPC does not have.
/// `__host_call` is chosen by [`Arity`].
fn import_type(name: &str) -> Option<FunctionType> {
    Some(match name {
        names::GUEST_REQUEST_FN
        | names::GUEST_RESPONSE_FN
        | names::GUEST_ERROR_FN
        | names::HOST_CONSOLE_LOG => FunctionType::of_i32(2, 0),
        names::HOST_RESPONSE_FN | names::HOST_ERROR_FN => FunctionType::of_i32(1, 0),
        names::HOST_RESPONSE_LEN_FN | names::HOST_ERROR_LEN_FN => FunctionType::of_i32(0, 1),
        _ => return None,
    })
}

/// Checks every waPC import and export of a module.
///
/// # Errors
/// `E_MODULE_ABI`, naming the import or export.
pub(crate) fn recognise(shape: &ModuleShape) -> Result<Arity, CallError> {
    let mut arity = Arity::Eight;
    for import in shape.imports.iter().filter(|i| NAMESPACES.contains(&i.module.as_str())) {
        let name = format!("{}.{}", import.module, import.name);
        let Some(found) = &import.function else {
            return Err(abi_error(format!("the import `{name}` must be a function")));
        };
        if import.name == names::HOST_CALL {
            arity = Arity::of(found)?;
            continue;
        }
        match import_type(&import.name) {
            None => return Err(abi_error(format!("the import `{name}` is not part of waPC"))),
            Some(expected) if expected != *found => {
                return Err(abi_error(format!(
                    "the import `{name}` has the type {found}, expected {expected}"
                )));
            }
            Some(_) => {}
        }
    }
    if !shape.exports_memory(MEMORY) {
        return Err(abi_error("the module does not export its memory as `memory`".to_owned()));
    }
    match shape.exported_function(names::GUEST_CALL) {
        None => Err(abi_error("the module does not export `__guest_call`".to_owned())),
        Some(found) if *found != FunctionType::of_i32(2, 1) => Err(abi_error(format!(
            "the export `__guest_call` has the type {found}, expected {}",
            FunctionType::of_i32(2, 1)
        ))),
        Some(_) => Ok(arity),
    }
}

fn abi_error(message: String) -> CallError {
    CallError::new(Code::ModuleAbi, message)
}
