//! What a module looks like from outside: imports, exports, sizes. Read without compiling.

use std::fmt;

use trellis_core::{CallError, Code};

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
