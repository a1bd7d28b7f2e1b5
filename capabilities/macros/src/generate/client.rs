//! The typed client through which a guest calls the provider.

use proc_macro2::TokenStream;
use quote::quote;

use crate::generate::operations::output_type;
use crate::generate::{key_attributes, owned};
use crate::model::{Field, Input, Operation, Type};
use crate::names;

/// `struct Client`.
pub(super) fn client(id: &str, operations: &[&Operation]) -> TokenStream {
    let methods = operations.iter().map(|operation| method(operation));
    quote! {
        /// Calls the provider of this contract through one binding.
        #[derive(Clone, Debug)]
        pub struct Client<T> {
            transport: T,
            binding: ::std::borrow::Cow<'static, str>,
        }

        impl<T: ::trellis_core::guest::Transport> Client<T> {
            /// A client of the binding named `default`.
            pub const fn new(transport: T) -> Self {
                let binding =
                    ::std::borrow::Cow::Borrowed(::trellis_core::BindingName::DEFAULT);
                Self { transport, binding }
            }

            /// The same client, for the binding of another name.
            #[must_use]
            pub fn binding(
                mut self,
                name: impl ::core::convert::Into<::std::borrow::Cow<'static, str>>,
            ) -> Self {
                self.binding = name.into();
                self
            }

            #(#methods)*

            fn call(
                &self,
                operation: &str,
                payload: &[u8],
            ) -> ::core::result::Result<::std::vec::Vec<u8>, ::trellis_core::CallError> {
                self.transport.call(&self.binding, #id, operation, payload).map_err(|text| {
                    ::trellis_core::CallError::from_text(text, ::trellis_core::Code::Provider)
                })
            }
        }
    }
}

fn method(operation: &Operation) -> TokenStream {
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
            let reply = self.call(#wire_name, &#payload)?;
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
            (quote!(#name: &#ty), quote!(::trellis_core::wire::encode(#name)?))
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

/// Encodes the arguments without first owning them.
fn borrowed_request(fields: &[Field]) -> TokenStream {
    let keys = fields.iter().map(|field| {
        let attributes = key_attributes(field);
        let (name, ty) = (names::field(&field.name), sent(&field.ty));
        quote!(#attributes #name: #ty)
    });
    let values = fields.iter().map(|field| {
        let name = names::field(&field.name);
        match &field.ty {
            Type::Bytes => quote!(#name: ::trellis_core::wire::BlobRef(#name)),
            Type::Option(inner) if matches!(**inner, Type::Bytes) => {
                quote!(#name: #name.map(::trellis_core::wire::BlobRef))
            }
            _ => quote!(#name),
        }
    });
    let lifetime = fields.iter().any(|field| !matches!(field.ty, Type::Plain(_)));
    let lifetime = lifetime.then(|| quote!(<'a>));
    quote! {{
        #[derive(::trellis_core::generated::serde::Serialize)]
        #[serde(crate = "::trellis_core::generated::serde")]
        struct Request #lifetime { #(#keys,)* }
        ::trellis_core::wire::encode(&Request { #(#values,)* })?
    }}
}

/// The type a caller passes.
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

/// The type of the same argument inside the encoded struct.
fn sent(ty: &Type) -> TokenStream {
    match ty {
        Type::Plain(_) => owned(ty),
        Type::String => quote!(&'a str),
        Type::Bytes => quote!(::trellis_core::wire::BlobRef<'a>),
        Type::List(inner) => match **inner {
            Type::String => quote!(&'a [&'a str]),
            _ => {
                let inner = owned(inner);
                quote!(&'a [#inner])
            }
        },
        Type::Option(inner) => {
            let inner = sent(inner);
            quote!(::core::option::Option<#inner>)
        }
        Type::Pairs(_) | Type::Named(..) => {
            let ty = owned(ty);
            quote!(&'a #ty)
        }
    }
}
