//! The trait that a provider implements, and the function that takes an encoded call to it.

use proc_macro2::TokenStream;
use quote::quote;

use crate::generate::operations::{input_type, output_type};
use crate::model::{Input, Operation};
use crate::names;

/// `trait Provider` and `serve`.
pub(super) fn provider(operations: &[&Operation]) -> TokenStream {
    let methods = operations.iter().map(|operation| method(operation));
    let arms = operations.iter().map(|operation| arm(operation));
    quote! {
        /// What a provider of this contract implements: an `async fn` for each operation. [`serve`]
        /// calls them.
        pub trait Provider: ::core::marker::Send + ::core::marker::Sync {
            /// What the provider knows about a call besides its message: the binding it came
            /// through, a connection, a namespace.
            type Caller: ::core::marker::Sync;

            #(#methods)*
        }

        /// Makes one call to `provider`: decodes the payload, calls the operation's method, and
        /// encodes the reply.
        ///
        /// # Errors
        /// Those of the method; [`trellis_core::Code::Message`] when the payload is not the
        /// operation's request; [`trellis_core::Code::NotFound`] when the contract has no such
        /// operation.
        pub async fn serve<P: Provider>(
            provider: &P,
            caller: &P::Caller,
            operation: &str,
            payload: &[u8],
        ) -> ::core::result::Result<
            ::trellis_core::generated::Bytes,
            ::trellis_core::CallError,
        > {
            let reply = match operation {
                #(#arms)*
                _ => return ::core::result::Result::Err(::trellis_core::CallError::new(
                    ::trellis_core::Code::NotFound,
                    ::std::format!("{} has no operation `{operation}`", CONTRACT.id),
                )),
            };
            ::core::result::Result::Ok(reply.into())
        }
    }
}

fn method(operation: &Operation) -> TokenStream {
    let (name, doc, output) =
        (names::field(&operation.name), &operation.doc, output_type(operation));
    let request = match operation.input {
        Input::Empty => None,
        _ => {
            let input = input_type(operation);
            Some(quote!(request: #input,))
        }
    };
    quote! {
        #[doc = #doc]
        fn #name(&self, caller: &Self::Caller, #request) -> impl ::core::future::Future<
            Output = ::core::result::Result<#output, ::trellis_core::CallError>,
        > + ::core::marker::Send;
    }
}

fn arm(operation: &Operation) -> TokenStream {
    let (name, marker) = (names::pascal(&operation.name), names::type_name(&operation.name));
    let method = names::field(&operation.name);
    let spec = quote!(<#marker as ::trellis_core::OperationSpec>);
    let request = match operation.input {
        Input::Empty => None,
        _ => Some(quote!(#spec::decode_input(payload)?)),
    };
    quote! {
        #name => {
            let reply = provider.#method(caller, #request).await?;
            #spec::encode_output(&reply)
        }
    }
}
