//! Which functions of WASI there are, and which modules want them.

use std::collections::HashMap;

use wasmtime::{ExternType, Linker, Store, ValType};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{p0, p1};

use crate::shape::{FunctionType, ModuleShape, ValueType};

/// The module names of the two generations.
const NAMESPACES: [&str; 2] = ["wasi_snapshot_preview1", "wasi_unstable"];

/// True when the module imports WASI of either generation.
pub(crate) fn is_imported(shape: &ModuleShape) -> bool {
    shape.imports.iter().any(|import| NAMESPACES.contains(&import.module.as_str()))
}

/// The WASI functions there are, by module and name.
pub(crate) struct Catalog(HashMap<String, HashMap<String, FunctionType>>);

impl Catalog {
    pub(crate) fn new(engine: &wasmtime::Engine) -> wasmtime::Result<Self> {
        fn nothing(context: &mut Option<WasiP1Ctx>) -> &mut WasiP1Ctx {
            context.as_mut().expect("the catalog's functions are read, never called")
        }
        let mut linker: Linker<Option<WasiP1Ctx>> = Linker::new(engine);
        p1::add_to_linker_async(&mut linker, nothing)?;
        p0::add_to_linker_async(&mut linker, nothing)?;
        let mut store = Store::new(engine, None);
        let items: Vec<_> = linker
            .iter(&mut store)
            .map(|(module, name, item)| (module.to_owned(), name.to_owned(), item))
            .collect();
        let mut functions: HashMap<String, HashMap<String, FunctionType>> = HashMap::new();
        for (module, name, item) in items {
            if let ExternType::Func(ty) = item.ty(&store) {
                let params = ty.params().map(|v| value_type(&v)).collect();
                let results = ty.results().map(|v| value_type(&v)).collect();
                let function = FunctionType { params, results };
                functions.entry(module).or_default().insert(name, function);
            }
        }
        Ok(Self(functions))
    }

    /// The type of a function; `None` when there is none of that name.
    pub(crate) fn function(&self, module: &str, name: &str) -> Option<&FunctionType> {
        self.0.get(module)?.get(name)
    }
}

fn value_type(value: &ValType) -> ValueType {
    match value {
        ValType::I32 => ValueType::I32,
        ValType::I64 => ValueType::I64,
        ValType::F32 => ValueType::F32,
        ValType::F64 => ValueType::F64,
        ValType::V128 => ValueType::V128,
        ValType::Ref(_) => ValueType::Ref,
    }
}
