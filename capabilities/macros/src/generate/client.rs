//! The typed client that a guest calls the provider with.

use proc_macro2::TokenStream;
use quote::quote;

use crate::generate::codec;
use crate::generate::field::owned;
use crate::generate::operations::output_type;
use crate::model::{Field, Input, Operation, Type};
use crate::names;

/// `struct Client`.
pub(super) fn client(id: &str, operations: &[&Operation]) -> TokenStream {
    let methods = operations.iter().map(|operation| method(id, operation));
    quote! {
        /// Calls the provider of this contract through one binding.
        #[derive(Clone, Debug)]
        pub struct Client<T> {
            transport: T,
            binding: ::std::borrow::Cow<'static, str>,
        }

        // The contract decides how many parameters there are.
        #[allow(clippy::too_many_arguments)]
        impl<T: ::trellis_core::guest::Transport> Client<T> {
            /// A client for the binding `default`.
            pub const fn new(transport: T) -> Self {
                let binding =
                    ::std::borrow::Cow::Borrowed(::trellis_core::BindingName::DEFAULT);
                Self { transport, binding }
            }

            /// The same client for another binding.
            #[must_use]
            pub fn binding(
                mut self,
                name: impl ::core::convert::Into<::std::borrow::Cow<'static, str>>,
            ) -> Self {
                self.binding = name.into();
                self
            }

            #(#methods)*
        }
    }
}

fn method(id: &str, operation: &Operation) -> TokenStream {
    let name = names::field(&operation.name);
    let (wire_name, marker) = (names::pascal(&operation.name), names::type_name(&operation.name));
    let doc = format!(
        "{}\n\n# Errors\nWhat the operation fails with, or why the host refused the call.",
        operation.doc
    );
    let (arguments, payload) = request(operation);
    let output = output_type(operation);
    quote! {
        #[doc = #doc]
        pub fn #name(&self, #arguments)
            -> ::core::result::Result<#output, ::trellis_core::CallError>
        {
            let reply = ::trellis_core::guest::call(
                &self.transport,
                (&self.binding, #id, #wire_name),
                &#payload,
            )?;
            <#marker as ::trellis_core::OperationSpec>::decode_output(&reply)
        }
    }
}

/// The method's arguments, and the expression of the encoded request.
fn request(operation: &Operation) -> (TokenStream, TokenStream) {
    match &operation.input {
        Input::Empty => (TokenStream::new(), quote!([])),
        Input::Record(name, ty) => {
            let (name, ty) = (names::field(name), owned(ty));
            (quote!(#name: &#ty), quote!(::trellis_core::wire::to_bytes(#name)))
        }
        Input::Parameters(fields) => {
            let arguments = fields.iter().map(|field| {
                let (name, ty) = (names::field(&field.name), argument(&field.ty));
                quote!(#name: #ty)
            });
            let payload = borrowed_request(fields);
            (quote!(#(#arguments),*), payload)
        }
    }
}

/// Encodes the arguments without copying them into a message first.
fn borrowed_request(fields: &[Field]) -> TokenStream {
    let value = |field: &Field| {
        let name = names::field(&field.name);
        match &field.ty {
            Type::Bytes => quote!(::trellis_core::wire::BlobRef(#name)),
            Type::Option(inner) if matches!(**inner, Type::Bytes) => {
                quote!(#name.map(::trellis_core::wire::BlobRef))
            }
            _ => quote!(#name),
        }
    };
    let entries = codec::entries(fields, value);
    quote! {{
        let mut payload_0 = ::std::vec::Vec::with_capacity(128);
        let out_0 = &mut payload_0;
        #entries
        payload_0
    }}
}

/// The type that a caller passes.
fn argument(ty: &Type) -> TokenStream {
    match ty {
        Type::Plain(_) => owned(ty),
        Type::String => quote!(&str),
        Type::Bytes => quote!(&[u8]),
        Type::List(inner) => match **inner {
            Type::String => quote!(&[&str]),
            _ => {
                let inner = owned(inner);
                quote!(&[#inner])
            }
        },
        Type::Option(inner) => {
            let inner = argument(inner);
            quote!(::core::option::Option<#inner>)
        }
        Type::Pairs(_) | Type::Named(..) => {
            let ty = owned(ty);
            quote!(&#ty)
        }
    }
}
