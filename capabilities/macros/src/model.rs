//! A contract as the wire sees it: only what has a form on it.

use proc_macro2::TokenStream;

/// One contract.
pub(crate) struct Model {
    /// The id, such as `wascc:http_server`.
    pub(crate) id: String,
    /// Other ids.
    pub(crate) aliases: Vec<String>,
    /// Named types, in the order of the file.
    pub(crate) types: Vec<TypeDecl>,
    /// Operations, in the order of the file.
    pub(crate) operations: Vec<Operation>,
}

/// A named type.
pub(crate) struct TypeDecl {
    /// The WIT name.
    pub(crate) name: String,
    /// The WIT documentation.
    pub(crate) doc: String,
    /// What it is.
    pub(crate) kind: TypeKind,
    /// Whether a function's `result` has it as its error.
    pub(crate) is_error: bool,
}

/// What a named type is.
pub(crate) enum TypeKind {
    /// A map with known keys.
    Record(Vec<Field>),
    /// A string, or a map of one entry.
    Variant(Vec<Case>),
    /// Another name.
    Alias(Type),
}

/// One key of a record.
pub(crate) struct Field {
    /// The WIT name.
    pub(crate) name: String,
    /// The documentation.
    pub(crate) doc: String,
    /// The type.
    pub(crate) ty: Type,
    /// Another key that it is read from.
    pub(crate) also: Option<String>,
}

/// One case of an enum or variant.
pub(crate) struct Case {
    /// The WIT name.
    pub(crate) name: String,
    /// The documentation.
    pub(crate) doc: String,
    /// What it carries.
    pub(crate) ty: Option<Type>,
}

/// One function.
pub(crate) struct Operation {
    /// The WIT name.
    pub(crate) name: String,
    /// The WIT documentation.
    pub(crate) doc: String,
    /// Whether the provider serves it: the world imports it.
    pub(crate) to_provider: bool,
    /// The request.
    pub(crate) input: Input,
    /// The reply; `None` means an empty payload.
    pub(crate) output: Option<Type>,
}

/// The request of an operation.
pub(crate) enum Input {
    /// No parameters: an empty payload.
    Empty,
    /// One parameter that is a record: its name, and the record.
    Record(String, Type),
    /// Parameters by name, as a map.
    Parameters(Vec<Field>),
}

/// A type with a form on the wire.
pub(crate) enum Type {
    /// A number or a Boolean, by its Rust name.
    Plain(&'static str),
    /// Text.
    String,
    /// `list<u8>`.
    Bytes,
    /// Any other list.
    List(Box<Type>),
    /// `list<tuple<string, T>>`.
    Pairs(Box<Type>),
    /// A value or nil.
    Option(Box<Type>),
    /// A named type: its Rust path, and what the generator needs to know about it.
    Named(TokenStream, Traits),
}

/// What is known of a named type.
#[derive(Clone, Copy)]
pub(crate) struct Traits {
    /// Whether it implements `Default`.
    pub(crate) default: bool,
    /// Whether it is a record, which may be a payload by itself.
    pub(crate) record: bool,
}

impl Type {
    /// Whether the Rust type has a default: it contains no enum or variant.
    pub(crate) fn has_default(&self) -> bool {
        match self {
            Self::Named(_, traits) => traits.default,
            _ => true,
        }
    }

    /// Whether a missing key means the empty value.
    pub(crate) fn may_be_missing(&self) -> bool {
        matches!(self, Self::Option(_) | Self::List(_) | Self::Pairs(_) | Self::Bytes)
    }
}
