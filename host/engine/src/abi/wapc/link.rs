//! Everything a waPC guest may import, resolved once for all instances of a module.

use trellis_core::{CallError, Code};
use wasmtime::{InstancePre, Linker, Module, ModuleExport};

use super::recognize::{Arity, Form};
use super::state::WapcGuest;
use super::{host_call, imports, names};
use crate::abi::wasi;

/// One linker for each form, without WASI and with it: WASI is only for those that import it.
pub(crate) struct Linkers {
    plain: [Linker<WapcGuest>; Arity::ALL.len()],
    with_wasi: [Linker<WapcGuest>; Arity::ALL.len()],
}

/// A compiled module, its imports and exports resolved.
pub(crate) struct Linked {
    pub(super) pre: InstancePre<WapcGuest>,
    pub(super) memory: ModuleExport,
    pub(super) guest_call: ModuleExport,
    pub(super) starts: Vec<ModuleExport>,
    pub(super) wasi: bool,
}

impl Linkers {
    pub(crate) fn new(engine: &wasmtime::Engine) -> wasmtime::Result<Self> {
        let mut plain = Linker::new(engine);
        imports::link(&mut plain)?;
        let mut with_wasi = plain.clone();
        wasi::link(&mut with_wasi)?;
        Ok(Self { plain: in_every_form(&plain)?, with_wasi: in_every_form(&with_wasi)? })
    }

    /// Resolves the imports and exports of a recognized module.
    ///
    /// # Errors
    /// `E_MODULE_ABI` for what cannot be served.
    pub(crate) fn link(&self, form: &Form, module: &Module) -> Result<Linked, CallError> {
        let export = |name: &str| {
            module.get_export_index(name).ok_or_else(|| {
                CallError::new(Code::ModuleAbi, format!("the module does not export `{name}`"))
            })
        };
        let linkers = if form.wasi { &self.with_wasi } else { &self.plain };
        let pre = linkers[form.arity as usize].instantiate_pre(module).map_err(|error| {
            CallError::new(Code::ModuleAbi, format!("an import cannot be served: {error}"))
        })?;
        Ok(Linked {
            pre,
            memory: export(names::MEMORY)?,
            guest_call: export(names::GUEST_CALL)?,
            starts: form.starts.iter().map(|name| export(name)).collect::<Result<_, _>>()?,
            wasi: form.wasi,
        })
    }
}

/// The linker with each form of the host call, in the order of [`Arity::ALL`].
fn in_every_form(
    linker: &Linker<WapcGuest>,
) -> wasmtime::Result<[Linker<WapcGuest>; Arity::ALL.len()]> {
    let mut linkers = Arity::ALL.map(|_| linker.clone());
    for arity in Arity::ALL {
        host_call::link(&mut linkers[arity as usize], arity)?;
    }
    Ok(linkers)
}
