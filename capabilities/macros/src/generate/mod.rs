//! From the model to Rust.

mod client;
mod codec;
mod field;
mod operations;
mod provider;
mod types;

use proc_macro2::TokenStream;
use quote::quote;

use crate::model::Model;
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
        // A change to the WIT file builds the crate again.
        const _: &str = include_str!(#path);
        #contract
        #(#types)*
        #(#operations)*
        #visit
        #provider
        #client
    }
}
