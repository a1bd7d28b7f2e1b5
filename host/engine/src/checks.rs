//! Static checks of a module, before anything of it is compiled.
//!
//! [`surface`] reads the outline and enforces the static limits in one pass without allocating for
//! what it refuses. [`validate`] checks every instruction; it is only needed for bytes that were
//! never compiled here.

use trellis_core::{CallError, Code};
use trellis_limits::{Limit, fixed};
use wasmparser::{
    BinaryReaderError, Encoding, ExternalKind, FunctionBody, Operator, Parser, Payload, TypeRef,
    ValidPayload, Validator, WasmFeatures,
};

use crate::bounds::ModuleBounds;
use crate::context::place;
use crate::refusal::Refusal;
use crate::shape::{Export, ExportKind, FunctionType, Import, ModuleShape, invalid};

const PAGE_BYTES: u64 = 64 << 10;

/// Reads the outline of a module within `bounds`.
///
/// # Errors
/// `E_MODULE_INVALID` with the offset; `E_MODULE_LIMIT` or `E_MEMORY` naming the limit;
/// `E_MODULE_ABI` for a component, or what else this host does not run.
pub(crate) fn surface(bytes: &[u8], bounds: &ModuleBounds) -> Result<ModuleShape, Refusal> {
    let size = bytes.len() as u64;
    at_most(("module_bytes_max", "bytes"), size, bounds.module_bytes_max)?;
    let mut outline = Outline::new(size, bounds);
    for payload in Parser::new(0).parse_all(bytes) {
        let read = payload.map_err(not_wasm).and_then(|payload| outline.payload(payload));
        read.map_err(|refusal| unless_whole(refusal, bytes))?;
    }
    Ok(outline.shape)
}

/// Checks every instruction of a module that passed [`surface`].
///
/// # Errors
/// `E_MODULE_INVALID` with the offset; `E_MODULE_LIMIT` for blocks nested too deep; `E_MODULE_ABI`
/// for a part of WebAssembly that this host does not run.
pub(crate) fn validate(bytes: &[u8]) -> Result<(), Refusal> {
    validate_all(bytes).map_err(|refusal| unless_whole(refusal, bytes))
}

fn validate_all(bytes: &[u8]) -> Result<(), Refusal> {
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
/// without `externref`, threads, 64-bit or several memories, garbage collection, exceptions.
fn features() -> WasmFeatures {
    let with = WasmFeatures::WASM2 | WasmFeatures::TAIL_CALL | WasmFeatures::EXTENDED_CONST;
    with.difference(WasmFeatures::GC_TYPES)
}

/// The refusal, or another one when the module is well-formed and only uses what this host does
/// not run: then nothing is wrong with the file.
#[cold]
fn unless_whole(refusal: Refusal, bytes: &[u8]) -> Refusal {
    let is_whole = || Validator::new_with_features(WasmFeatures::all()).validate_all(bytes).is_ok();
    if refusal.error.code() != Code::ModuleInvalid || !is_whole() {
        return refusal;
    }
    let why = refusal.error.message();
    let message = format!("the module uses a part of WebAssembly this host does not run: {why}");
    CallError::new(Code::ModuleAbi, message).into()
}

fn nesting(body: &FunctionBody<'_>) -> Result<(), Refusal> {
    let mut depth = 0_u64;
    let mut operators = body.get_operators_reader().map_err(not_wasm)?;
    while !operators.eof() {
        match operators.read().map_err(not_wasm)? {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                depth += 1;
                within(&fixed::MODULE_NESTING, depth)?;
            }
            Operator::End => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// What was read so far.
struct Outline<'b> {
    bounds: &'b ModuleBounds,
    shape: ModuleShape,
    types: Vec<FunctionType>,
    /// Type index of every function, imported ones first.
    functions: Vec<u32>,
}

impl<'b> Outline<'b> {
    fn new(size: u64, bounds: &'b ModuleBounds) -> Self {
        let shape = ModuleShape {
            bytes: size,
            functions: 0,
            imports: Vec::new(),
            exports: Vec::new(),
            memory_bytes: 0,
        };
        Self { bounds, shape, types: Vec::new(), functions: Vec::new() }
    }

    fn payload(&mut self, payload: Payload<'_>) -> Result<(), Refusal> {
        match payload {
            Payload::Version { encoding: Encoding::Component, .. } => Err(CallError::new(
                Code::ModuleAbi,
                "the file is a WebAssembly component; this host runs core modules",
            )
            .into()),
            Payload::TypeSection(section) => {
                within(&fixed::MODULE_TYPES, section.count())?;
                for ty in section.into_iter_err_on_gc_types() {
                    self.types.push(FunctionType::from(&ty.map_err(not_wasm)?));
                }
                Ok(())
            }
            Payload::ImportSection(section) => self.imports(section),
            Payload::FunctionSection(section) => {
                let count = section.count();
                let max = self.bounds.module_functions_max;
                at_most(("module_functions_max", "functions"), count.into(), max.into())?;
                self.shape.functions = count;
                for index in section {
                    self.functions.push(index.map_err(not_wasm)?);
                }
                Ok(())
            }
            Payload::TableSection(section) => {
                within(&fixed::MODULE_TABLES, section.count())?;
                for table in section {
                    self.table(table.map_err(not_wasm)?.ty.initial)?;
                }
                Ok(())
            }
            Payload::MemorySection(section) => {
                within(&fixed::MODULE_MEMORIES, section.count())?;
                for memory in section {
                    self.memory(memory.map_err(not_wasm)?.initial)?;
                }
                Ok(())
            }
            Payload::GlobalSection(section) => within(&fixed::MODULE_GLOBALS, section.count()),
            Payload::DataSection(section) => within(&fixed::MODULE_SEGMENTS, section.count()),
            Payload::ElementSection(section) => within(&fixed::MODULE_SEGMENTS, section.count()),
            Payload::ExportSection(section) => self.exports(section),
            Payload::CodeSectionEntry(body) => self.locals(&body),
            _ => Ok(()),
        }
    }

    fn imports(&mut self, section: wasmparser::ImportSectionReader<'_>) -> Result<(), Refusal> {
        for import in section.into_imports() {
            let import = import.map_err(not_wasm)?;
            within(&fixed::MODULE_IMPORTS, self.shape.imports.len() as u64 + 1)?;
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

    fn exports(&mut self, section: wasmparser::ExportSectionReader<'_>) -> Result<(), Refusal> {
        within(&fixed::MODULE_EXPORTS, section.count())?;
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

    fn memory(&mut self, pages: u64) -> Result<(), Refusal> {
        let bytes = pages.saturating_mul(PAGE_BYTES);
        self.shape.memory_bytes = bytes;
        let max = self.bounds.memory_bytes_max;
        starts_within(("actor_memory_bytes_max", "bytes of memory"), bytes, max)
    }

    fn table(&self, elements: u64) -> Result<(), Refusal> {
        let max = self.bounds.table_elements_max.into();
        starts_within(("table_elements_max", "table elements"), elements, max)
    }

    fn locals(&self, body: &FunctionBody<'_>) -> Result<(), Refusal> {
        let mut total = 0_u64;
        let mut locals = body.get_locals_reader().map_err(not_wasm)?;
        for _ in 0..locals.get_count() {
            let (count, _) = locals.read().map_err(not_wasm)?;
            total += u64::from(count);
            let max = self.bounds.module_locals_max.into();
            at_most(("module_locals_max", "locals in one function"), total, max)?;
        }
        Ok(())
    }

    fn type_at(&self, index: u32) -> Result<FunctionType, CallError> {
        self.types.get(index as usize).cloned().ok_or_else(|| missing("type", index))
    }
}

fn missing(what: &str, index: u32) -> CallError {
    CallError::new(Code::ModuleInvalid, format!("{what} {index} does not exist"))
}

/// A bound that no manifest changes.
fn within(limit: &Limit, found: impl Into<u64>) -> Result<(), Refusal> {
    at_most((limit.name, limit.unit), found.into(), limit.default)
}

fn at_most(
    (limit, unit): (&'static str, &'static str),
    found: u64,
    max: u64,
) -> Result<(), Refusal> {
    if found <= max {
        return Ok(());
    }
    let message = format!("the module has {found} {unit}, {limit} allows {max}{}", place(limit));
    Err(Refusal::over(Code::ModuleLimit, limit, message))
}

fn starts_within(
    (limit, unit): (&'static str, &'static str),
    found: u64,
    max: u64,
) -> Result<(), Refusal> {
    if found <= max {
        return Ok(());
    }
    let message =
        format!("the module starts with {found} {unit}, {limit} allows {max}{}", place(limit));
    Err(Refusal::over(Code::Memory, limit, message))
}

fn not_wasm(error: BinaryReaderError) -> Refusal {
    // wasmparser has limits of its own (a function of 7 MiB, for one); it tells them from broken
    // bytes only by their text.
    let text = error.message();
    if ["too many", "exceeds limit", "limit of", "size is out of bounds"]
        .iter()
        .any(|part| text.contains(part))
    {
        let message = format!("{text} (at offset {:#x})", error.offset());
        return CallError::new(Code::ModuleLimit, message).into();
    }
    invalid(text, error.offset()).into()
}
