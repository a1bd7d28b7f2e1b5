//! From the model to Rust.

mod client;
mod codec;
mod operations;
mod provider;
mod types;

use proc_macro2::TokenStream;
use quote::quote;

use crate::model::{Field, Model, Type};
use crate::names;
use crate::source::Wit;

/// Everything `contract!` expands to.
pub(crate) fn all(wit: &Wit, model: &Model) -> TokenStream {
    let path = &wit.path;
    let contract = operations::contract(model);
    let types = model.types.iter().map(types::declaration);
    let visit = operations::visit(&model.operations);
    let operations = model.operations.iter().map(operations::operation);
    let to_provider: Vec<_> = model.operations.iter().filter(|op| op.to_provider).collect();
    let (provider, client) = if to_provider.is_empty() {
        (None, None)
    } else {
        (Some(provider::provider(&to_provider)), Some(client::client(&model.id, &to_provider)))
    };
    quote! {
        // Makes the WIT file a dependency of the crate, so that a change to it builds again.
        const _: &str = include_str!(#path);
        #contract
        #(#types)*
        #(#operations)*
        #visit
        #provider
        #client
    }
}

/// The type as a message owns it.
fn owned(ty: &Type) -> TokenStream {
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

/// The serde attributes of one key: its name on the wire, the older spelling, whether it may be
/// missing.
fn key_attributes(field: &Field) -> TokenStream {
    let key = names::camel(&field.name);
    let snake = names::snake(&field.name);
    let older = (snake != key).then(|| quote!(alias = #snake,));
    let also = field.also.as_ref().map(|also| quote!(alias = #also,));
    let default = field.ty.may_be_missing().then(|| quote!(default,));
    let skip = matches!(field.ty, Type::Option(_))
        .then(|| quote!(skip_serializing_if = "::core::option::Option::is_none",));
    quote!(#[serde(rename = #key, #older #also #default #skip)])
}
