//! Static checks of a module, before anything of it is compiled.
//!
//! [`surface`] reads the outline and enforces the static limits in one pass without allocating for
//! what it refuses. [`validate`] checks every instruction; it is only needed for bytes that were
//! never compiled here.

use trellis_core::limits::ActorLimits;
use trellis_core::{CallError, Code};
use wasmparser::{
    BinaryReaderError, Encoding, ExternalKind, FunctionBody, Operator, Parser, Payload, TypeRef,
    ValidPayload, Validator, WasmFeatures,
};

use crate::shape::{Dialect, Export, ExportKind, FunctionType, Import, ModuleShape, invalid};

/// Most types, imports and exports: far above what compilers write, far below what hurts.
const TYPES_MAX: u32 = 65_536;
const IMPORTS_MAX: u32 = 1_000;
const EXPORTS_MAX: u32 = 20_000;
/// Most blocks within one another. Compilers nest one block per arm of a `br_table`.
const NESTING_MAX: usize = 20_000;
const PAGE_BYTES: u64 = 64 << 10;

/// Reads the outline of a module within `limits`.
///
/// # Errors
/// `E_MODULE_INVALID` with the offset; `E_MODULE_LIMIT` or `E_MEMORY` naming the limit;
/// `E_MODULE_ABI` for a component.
pub(crate) fn surface(bytes: &[u8], limits: &ActorLimits) -> Result<ModuleShape, CallError> {
    at_most("module_bytes_max", bytes.len() as u64, limits.module_bytes_max)?;
    let mut outline = Outline::new(bytes.len(), limits);
    for payload in Parser::new(0).parse_all(bytes) {
        outline.payload(payload.map_err(not_wasm)?)?;
    }
    Ok(outline.finish())
}

/// Checks every instruction of a module that passed [`surface`].
///
/// # Errors
/// `E_MODULE_INVALID` with the offset; `E_MODULE_LIMIT` for blocks nested too deep.
pub(crate) fn validate(bytes: &[u8]) -> Result<(), CallError> {
    let mut validator = Validator::new_with_features(features());
    let mut allocations = wasmparser::FuncValidatorAllocations::default();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(not_wasm)?;
        if let ValidPayload::Func(function, body) = validator.payload(&payload).map_err(not_wasm)? {
            nesting(&body)?;
            let mut function = function.into_validator(allocations);
            function.validate(&body).map_err(not_wasm)?;
            allocations = function.into_allocations();
        }
    }
    Ok(())
}

/// What the runtime is configured for: WebAssembly 2.0 with tail calls and extended constants,
/// without threads, 64-bit or several memories, garbage collection, exceptions.
fn features() -> WasmFeatures {
    WasmFeatures::WASM2 | WasmFeatures::TAIL_CALL | WasmFeatures::EXTENDED_CONST
}

fn nesting(body: &FunctionBody<'_>) -> Result<(), CallError> {
    let mut depth = 0_usize;
    let mut operators = body.get_operators_reader().map_err(not_wasm)?;
    while !operators.eof() {
        match operators.read().map_err(not_wasm)? {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                depth += 1;
                at_most("nested blocks", depth as u64, NESTING_MAX as u64)?;
            }
            Operator::End => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// What was read so far.
struct Outline<'l> {
    limits: &'l ActorLimits,
    shape: ModuleShape,
    types: Vec<FunctionType>,
    /// Type index of every function, imported ones first.
    functions: Vec<u32>,
}

impl<'l> Outline<'l> {
    fn new(size: usize, limits: &'l ActorLimits) -> Self {
        let shape = ModuleShape {
            bytes: size as u64,
            functions: 0,
            imports: Vec::new(),
            exports: Vec::new(),
            memory_bytes: 0,
            dialect: Dialect::Unknown,
        };
        Self { limits, shape, types: Vec::new(), functions: Vec::new() }
    }

    fn payload(&mut self, payload: Payload<'_>) -> Result<(), CallError> {
        match payload {
            Payload::Version { encoding: Encoding::Component, .. } => Err(CallError::new(
                Code::ModuleAbi,
                "the file is a WebAssembly component; this host runs core modules",
            )),
            Payload::TypeSection(section) => {
                at_most("types", section.count().into(), TYPES_MAX.into())?;
                for ty in section.into_iter_err_on_gc_types() {
                    self.types.push(FunctionType::from(&ty.map_err(not_wasm)?));
                }
                Ok(())
            }
            Payload::ImportSection(section) => self.imports(section),
            Payload::FunctionSection(section) => {
                let count = section.count();
                let max = self.limits.module_functions_max;
                at_most("module_functions_max", count.into(), max.into())?;
                self.shape.functions = count;
                for index in section {
                    self.functions.push(index.map_err(not_wasm)?);
                }
                Ok(())
            }
            Payload::TableSection(section) => {
                at_most("tables", section.count().into(), 1)?;
                for table in section {
                    self.table(table.map_err(not_wasm)?.ty.initial)?;
                }
                Ok(())
            }
            Payload::MemorySection(section) => {
                at_most("memories", section.count().into(), 1)?;
                for memory in section {
                    self.memory(memory.map_err(not_wasm)?.initial)?;
                }
                Ok(())
            }
            Payload::ExportSection(section) => self.exports(section),
            Payload::CodeSectionEntry(body) => self.locals(&body),
            _ => Ok(()),
        }
    }

    fn imports(&mut self, section: wasmparser::ImportSectionReader<'_>) -> Result<(), CallError> {
        for import in section.into_imports() {
            let import = import.map_err(not_wasm)?;
            at_most("imports", self.shape.imports.len() as u64 + 1, IMPORTS_MAX.into())?;
            let function = match import.ty {
                TypeRef::Func(index) | TypeRef::FuncExact(index) => {
                    self.functions.push(index);
                    Some(self.type_at(index)?)
                }
                _ => None,
            };
            self.shape.imports.push(Import {
                module: import.module.to_owned(),
                name: import.name.to_owned(),
                function,
            });
        }
        Ok(())
    }

    fn exports(&mut self, section: wasmparser::ExportSectionReader<'_>) -> Result<(), CallError> {
        at_most("exports", section.count().into(), EXPORTS_MAX.into())?;
        for export in section {
            let export = export.map_err(not_wasm)?;
            let kind = match export.kind {
                ExternalKind::Func | ExternalKind::FuncExact => {
                    let ty = self.functions.get(export.index as usize).copied();
                    let ty = ty.ok_or_else(|| missing("function", export.index))?;
                    ExportKind::Function(self.type_at(ty)?)
                }
                ExternalKind::Memory => ExportKind::Memory,
                _ => ExportKind::Other,
            };
            self.shape.exports.push(Export { name: export.name.to_owned(), kind });
        }
        Ok(())
    }

    fn memory(&mut self, pages: u64) -> Result<(), CallError> {
        let bytes = pages.saturating_mul(PAGE_BYTES);
        self.shape.memory_bytes = bytes;
        starts_within("actor_memory_bytes_max", bytes, self.limits.memory_bytes_max)
    }

    fn table(&self, elements: u64) -> Result<(), CallError> {
        starts_within("table_elements_max", elements, self.limits.table_elements_max.into())
    }

    fn locals(&self, body: &FunctionBody<'_>) -> Result<(), CallError> {
        let mut total = 0_u64;
        let mut locals = body.get_locals_reader().map_err(not_wasm)?;
        for _ in 0..locals.get_count() {
            let (count, _) = locals.read().map_err(not_wasm)?;
            total += u64::from(count);
            at_most("module_locals_max", total, self.limits.module_locals_max.into())?;
        }
        Ok(())
    }

    fn type_at(&self, index: u32) -> Result<FunctionType, CallError> {
        self.types.get(index as usize).cloned().ok_or_else(|| missing("type", index))
    }

    fn finish(mut self) -> ModuleShape {
        self.shape.recognise();
        self.shape
    }
}

fn missing(what: &str, index: u32) -> CallError {
    CallError::new(Code::ModuleInvalid, format!("{what} {index} does not exist"))
}

fn at_most(limit: &str, found: u64, max: u64) -> Result<(), CallError> {
    if found <= max {
        return Ok(());
    }
    let message = format!("the module has {found}, {limit} allows {max}");
    Err(CallError::new(Code::ModuleLimit, message))
}

fn starts_within(limit: &str, found: u64, max: u64) -> Result<(), CallError> {
    if found <= max {
        return Ok(());
    }
    let message = format!("the module starts with {found}, {limit} allows {max}");
    Err(CallError::new(Code::Memory, message))
}

fn not_wasm(error: BinaryReaderError) -> CallError {
    // wasmparser has limits of its own (a function of 7 MiB, for one); it tells them from broken
    // bytes only by their text.
    let text = error.message();
    if ["too many", "exceeds limit", "limit of", "size is out of bounds"]
        .iter()
        .any(|part| text.contains(part))
    {
        let message = format!("{text} (at offset {:#x})", error.offset());
        return CallError::new(Code::ModuleLimit, message);
    }
    invalid(text, error.offset())
}
