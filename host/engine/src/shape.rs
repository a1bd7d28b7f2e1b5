//! What a module looks like from outside: imports, exports, sizes. Read without compiling.

use std::fmt;

use trellis_core::{CallError, Code};

use crate::abi::wapc;
use crate::checks;
use crate::config::host_caps;

/// A module's surface, as the command line shows it and the ABI check reads it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ModuleShape {
    /// Size of the file, in bytes.
    pub bytes: u64,
    /// Functions the module defines.
    pub functions: u32,
    /// What it imports, in its own order.
    pub imports: Vec<Import>,
    /// What it exports, in its own order.
    pub exports: Vec<Export>,
    /// Size of the memory it starts with, in bytes.
    pub memory_bytes: u64,
    /// The language it speaks with a host.
    pub dialect: Dialect,
}

/// One import.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Import {
    /// Module name.
    pub module: String,
    /// Name within it.
    pub name: String,
    /// Its type; `None` when it is not a function.
    pub function: Option<FunctionType>,
}

/// One export.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Export {
    /// Name.
    pub name: String,
    /// What it is.
    pub kind: ExportKind,
}

/// What an export is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ExportKind {
    /// A function of this type.
    Function(FunctionType),
    /// The memory.
    Memory,
    /// A table, global or tag.
    Other,
}

/// Type of a function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FunctionType {
    /// Parameters.
    pub params: Vec<ValueType>,
    /// Results.
    pub results: Vec<ValueType>,
}

/// Type of one value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ValueType {
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// Vector.
    V128,
    /// Reference.
    Ref,
}

/// The language a module speaks with a host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// waPC with this many parameters of `__host_call`; 0 when it makes no host calls.
    Wapc(u32),
    /// waPC under the name `wasmbus` (wasmCloud OTP).
    Wasmbus(u32),
    /// None this host knows.
    Unknown,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wapc(0) => f.write_str("wapc, no host calls"),
            Self::Wapc(arity) => write!(f, "wapc, host call with {arity} arguments"),
            Self::Wasmbus(arity) => write!(f, "wasmbus, host call with {arity} arguments"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

impl FunctionType {
    pub(crate) fn of_i32(params: usize, results: usize) -> Self {
        Self { params: vec![ValueType::I32; params], results: vec![ValueType::I32; results] }
    }

    pub(crate) fn is_all_i32(&self) -> bool {
        self.params.iter().chain(&self.results).all(|v| *v == ValueType::I32)
    }
}

impl fmt::Display for FunctionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, types: &[ValueType]| {
            f.write_str("(")?;
            for (index, value) in types.iter().enumerate() {
                let comma = if index == 0 { "" } else { ", " };
                write!(f, "{comma}{value}")?;
            }
            f.write_str(")")
        };
        list(f, &self.params)?;
        f.write_str(" -> ")?;
        list(f, &self.results)
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::V128 => "v128",
            Self::Ref => "ref",
        })
    }
}

impl ModuleShape {
    /// The type of an exported function.
    #[must_use]
    pub fn exported_function(&self, name: &str) -> Option<&FunctionType> {
        self.exports.iter().find(|e| e.name == name).and_then(|export| match &export.kind {
            ExportKind::Function(ty) => Some(ty),
            _ => None,
        })
    }

    pub(crate) fn exports_memory(&self, name: &str) -> bool {
        self.exports.iter().any(|e| e.name == name && e.kind == ExportKind::Memory)
    }

    /// Sets the dialect from the imports and exports.
    pub(crate) fn recognise(&mut self) {
        let arity = self
            .imports
            .iter()
            .find(|i| i.name == wapc::names::HOST_CALL)
            .and_then(|i| i.function.as_ref())
            .map_or(0, |ty| u32::try_from(ty.params.len()).unwrap_or(u32::MAX));
        let imports_from = |module: &str| self.imports.iter().any(|i| i.module == module);
        self.dialect = if imports_from("wasmbus") {
            Dialect::Wasmbus(arity)
        } else if imports_from("wapc") || self.exported_function(wapc::names::GUEST_CALL).is_some()
        {
            Dialect::Wapc(arity)
        } else {
            Dialect::Unknown
        };
    }
}

/// Reads a module's surface.
///
/// # Errors
/// `E_MODULE_INVALID` when it is not a core module, with the byte offset; `E_MODULE_LIMIT` when it
/// is beyond even [`host_caps`].
pub fn inspect(bytes: &[u8]) -> Result<ModuleShape, CallError> {
    checks::surface(bytes, &host_caps())
}

impl From<&wasmparser::FuncType> for FunctionType {
    fn from(ty: &wasmparser::FuncType) -> Self {
        let convert = |types: &[wasmparser::ValType]| -> Vec<ValueType> {
            types
                .iter()
                .map(|value| match value {
                    wasmparser::ValType::I32 => ValueType::I32,
                    wasmparser::ValType::I64 => ValueType::I64,
                    wasmparser::ValType::F32 => ValueType::F32,
                    wasmparser::ValType::F64 => ValueType::F64,
                    wasmparser::ValType::V128 => ValueType::V128,
                    wasmparser::ValType::Ref(_) => ValueType::Ref,
                })
                .collect()
        };
        Self { params: convert(ty.params()), results: convert(ty.results()) }
    }
}

/// The error for bytes that are not a well-formed module.
pub(crate) fn invalid(message: impl fmt::Display, offset: impl fmt::LowerHex) -> CallError {
    CallError::new(Code::ModuleInvalid, format!("{message} (at offset {offset:#x})"))
}
