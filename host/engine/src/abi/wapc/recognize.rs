//! Which modules speak waPC, and in which form.

use trellis_core::{CallError, Code};

use super::names;
use crate::abi::wasi;
use crate::shape::{FunctionType, Import, ModuleShape, ValueType};

/// What has to be known of a waPC module to link it again.
pub(crate) struct Form {
    pub(super) arity: Arity,
    /// Its start functions, in order.
    pub(super) starts: Vec<&'static str>,
    /// It imports WASI.
    pub(super) wasi: bool,
}

/// The forms of `__host_call` that occur in signed modules, by their number of parameters. The
/// type of the import says which one a module speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Arity {
    /// Binding, namespace, operation, payload: since 2020-03-30; also modules without host calls.
    Eight,
    /// Namespace, operation, payload: 2020-03-02 to 2020-03-30.
    Six,
    /// Operation (`wascc:keyvalue!Add`) and payload: before that.
    Four,
}

impl Arity {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Eight, Self::Six, Self::Four];

    /// Chooses by the type of the import, or says why it cannot be served.
    fn of(import: &FunctionType) -> Result<Self, CallError> {
        let served = import.is_all_i32() && import.results == [ValueType::I32];
        match import.params.len() {
            8 if served => Ok(Self::Eight),
            6 if served => Ok(Self::Six),
            4 if served => Ok(Self::Four),
            _ => Err(abi_error(format!(
                "the import `__host_call` has the type {import}, expected 8, 6 or 4 x i32 -> i32"
            ))),
        }
    }
}

/// Checks every import of a module, and the exports waPC needs.
///
/// # Errors
/// `E_MODULE_ABI`, naming the import or export.
pub(crate) fn recognize(shape: &ModuleShape, wasi: &wasi::Catalog) -> Result<Form, CallError> {
    let arity = check_imports(shape, wasi)?;
    if !shape.exports_memory(names::MEMORY) {
        return Err(abi_error("the module does not export its memory as `memory`"));
    }
    let guest_call = FunctionType::of_i32(2, 1);
    if !exports(shape, names::GUEST_CALL, &guest_call)? {
        return Err(abi_error("the module does not export `__guest_call`"));
    }
    let starts = starts(shape)?;
    Ok(Form { arity: arity.unwrap_or(Arity::Eight), starts, wasi: wasi::is_imported(shape) })
}

/// Checks that every import is part of waPC, of WASI, or AssemblyScript's `env.abort`. Gives the
/// form of the host call.
fn check_imports(shape: &ModuleShape, wasi: &wasi::Catalog) -> Result<Option<Arity>, CallError> {
    let mut arity = None;
    for import in &shape.imports {
        let is_ours = names::NAMESPACES.contains(&import.module.as_str());
        if is_ours && import.name == names::HOST_CALL {
            let found = Arity::of(function(import)?)?;
            if arity.replace(found).is_some_and(|before| before != found) {
                return Err(abi_error("the module imports `__host_call` in two forms"));
            }
            continue;
        }
        let expected = if is_ours {
            import_type(&import.name).ok_or_else(|| {
                abi_error(format!("the import `{}` is not part of waPC", full_name(import)))
            })?
        } else if import.module == names::ENV && import.name == names::ABORT {
            FunctionType::of_i32(4, 0)
        } else {
            wasi.function(&import.module, &import.name).cloned().ok_or_else(|| {
                abi_error(format!("the import `{}` is unknown to this host", full_name(import)))
            })?
        };
        let found = function(import)?;
        if *found != expected {
            let name = full_name(import);
            let message = format!("the import `{name}` has the type {found}, expected {expected}");
            return Err(abi_error(message));
        }
    }
    Ok(arity)
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

/// The start functions of a module, in order: `_initialize` for WASI reactors, else `_start`, then
/// `wapc_init`. Guests have any or none of them, but one of another type would be a guest that is
/// called before it is ready.
fn starts(shape: &ModuleShape) -> Result<Vec<&'static str>, CallError> {
    let plain = FunctionType::of_i32(0, 0);
    let mut starts = Vec::new();
    for name in [names::INITIALIZE, names::TINYGO_START] {
        if starts.is_empty() && exports(shape, name, &plain)? {
            starts.push(name);
        }
    }
    if exports(shape, names::WAPC_INIT, &plain)? {
        starts.push(names::WAPC_INIT);
    }
    Ok(starts)
}

/// Whether the module exports a function of this name, which must then have this type.
fn exports(shape: &ModuleShape, name: &str, expected: &FunctionType) -> Result<bool, CallError> {
    match shape.exported_function(name) {
        Some(found) if found == expected => Ok(true),
        Some(found) => {
            Err(abi_error(format!("the export `{name}` has the type {found}, expected {expected}")))
        }
        None if shape.exports.iter().any(|export| export.name == name) => {
            Err(abi_error(format!("the export `{name}` must be a function")))
        }
        None => Ok(false),
    }
}

fn function(import: &Import) -> Result<&FunctionType, CallError> {
    import
        .function
        .as_ref()
        .ok_or_else(|| abi_error(format!("the import `{}` must be a function", full_name(import))))
}

fn full_name(import: &Import) -> String {
    format!("{}.{}", import.module, import.name)
}

fn abi_error(message: impl Into<std::borrow::Cow<'static, str>>) -> CallError {
    CallError::new(Code::ModuleAbi, message)
}
