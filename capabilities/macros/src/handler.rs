//! `#[handler]`: registers a function of an actor for an operation.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::{FnArg, ItemFn, LitStr, Path, ReturnType};

/// The attribute's argument.
pub(crate) enum Operation {
    /// The marker type of a contract's operation: messages are decoded and encoded.
    Typed(Path),
    /// A name outside any contract: bytes in, bytes out.
    Raw(LitStr),
}

impl Parse for Operation {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.is_empty() {
            return Err(syn::Error::new(
                input.span(),
                "name the operation: `#[handler(http_server::HandleRequest)]` or \
                 `#[handler(\"Echo\")]`",
            ));
        }
        if input.peek(LitStr) {
            input.parse().map(Self::Raw)
        } else {
            input.parse().map(Self::Typed)
        }
    }
}

/// The function itself, and its registration.
///
/// # Errors
/// A compile error at the part of the signature that does not fit.
pub(crate) fn expand(operation: &Operation, function: &ItemFn) -> syn::Result<TokenStream> {
    let signature = &function.sig;
    if let Some(asyncness) = &signature.asyncness {
        let message = "a handler cannot be async: an instance handles one call at a time, and its \
                       calls to the host block until they are answered";
        return Err(syn::Error::new_spanned(asyncness, message));
    }
    if !signature.generics.params.is_empty() {
        let message = "a handler cannot be generic: the operation defines its messages";
        return Err(syn::Error::new_spanned(&signature.generics, message));
    }
    if let Some(receiver @ FnArg::Receiver(_)) = signature.inputs.first() {
        return Err(syn::Error::new_spanned(
            receiver,
            "a handler must be a function without `self`",
        ));
    }
    if matches!(signature.output, ReturnType::Default) {
        let message = "a handler must return a `Result` of the operation's reply";
        return Err(syn::Error::new_spanned(signature, message));
    }
    let registration = registration(operation, function)?;
    Ok(quote! {
        #function
        ::trellis_actor::register! { #registration }
    })
}

fn registration(operation: &Operation, function: &ItemFn) -> syn::Result<TokenStream> {
    let name = &function.sig.ident;
    let inputs = function.sig.inputs.len();
    match (operation, inputs) {
        (Operation::Typed(path), 0) => Ok(quote! {
            <#path as ::trellis_actor::OperationSpec>::NAME,
            |payload| ::trellis_actor::handle::<#path>(payload, |()| #name())
        }),
        (Operation::Typed(path), 1) => Ok(quote! {
            <#path as ::trellis_actor::OperationSpec>::NAME,
            |payload| ::trellis_actor::handle::<#path>(payload, #name)
        }),
        (Operation::Raw(text), 1) => Ok(quote!(#text, #name)),
        (Operation::Typed(_), _) => Err(syn::Error::new_spanned(
            &function.sig.inputs,
            "a handler takes one parameter, the operation's request message",
        )),
        (Operation::Raw(_), _) => {
            let message = "the handler of an operation given as text takes one parameter, the payload `&[u8]`";
            Err(syn::Error::new_spanned(&function.sig, message))
        }
    }
}
