//! The type and the keys of one field, in Rust.

use proc_macro2::TokenStream;
use quote::quote;

use crate::model::{Field, Type};
use crate::names;

/// The type in a message that owns its values.
pub(super) fn owned(ty: &Type) -> TokenStream {
    match ty {
        Type::Plain(name) => {
            let name = proc_macro2::Ident::new(name, proc_macro2::Span::call_site());
            quote!(#name)
        }
        Type::String => quote!(::std::string::String),
        Type::Bytes => quote!(::trellis_core::wire::Blob),
        Type::List(inner) => {
            let inner = owned(inner);
            quote!(::std::vec::Vec<#inner>)
        }
        Type::Pairs(inner) => {
            let inner = owned(inner);
            quote!(::trellis_core::wire::Pairs<#inner>)
        }
        Type::Option(inner) => {
            let inner = owned(inner);
            quote!(::core::option::Option<#inner>)
        }
        Type::Named(path, _) => path.clone(),
    }
}

/// The serde attributes of one key: its name on the wire, the old spelling, and whether it may be
/// missing.
pub(super) fn key_attributes(field: &Field) -> TokenStream {
    let key = names::camel(&field.name);
    let snake = names::snake(&field.name);
    let older = (snake != key).then(|| quote!(alias = #snake,));
    let also = field.also.as_ref().map(|also| quote!(alias = #also,));
    let default = field.ty.may_be_missing().then(|| quote!(default,));
    let skip = matches!(field.ty, Type::Option(_))
        .then(|| quote!(skip_serializing_if = "::core::option::Option::is_none",));
    quote!(#[serde(rename = #key, #older #also #default #skip)])
}
