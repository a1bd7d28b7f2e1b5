//! Messages.

use proc_macro2::TokenStream;
use quote::quote;

use crate::generate::codec;
use crate::generate::field::{key_attributes, owned};
use crate::model::{Case, Field, TypeDecl, TypeKind};
use crate::names;

/// A named type of the WIT file.
pub(super) fn declaration(decl: &TypeDecl) -> TokenStream {
    let name = names::type_name(&decl.name);
    match &decl.kind {
        TypeKind::Record(fields) => record(&name, &decl.doc, fields),
        TypeKind::Alias(ty) => {
            let (doc, ty) = (&decl.doc, owned(ty));
            quote!(#[doc = #doc] pub type #name = #ty;)
        }
        TypeKind::Variant(cases) => {
            let variant = variant(&name, &decl.doc, cases);
            let error = decl.is_error.then(|| error(&name, cases));
            quote!(#variant #error)
        }
    }
}

/// A struct, which is a map on the wire.
pub(super) fn record(name: &syn::Ident, doc: &str, fields: &[Field]) -> TokenStream {
    let codec = codec::record(name, fields);
    let default = fields.iter().all(|field| field.ty.has_default()).then(|| quote!(Default,));
    let fields = fields.iter().map(|field| {
        let (doc, attributes) = (&field.doc, key_attributes(field));
        let (name, ty) = (names::field(&field.name), owned(&field.ty));
        quote!(#[doc = #doc] #attributes pub #name: #ty,)
    });
    quote! {
        #[doc = #doc]
        #[derive(
            Clone, Debug, PartialEq, #default
            ::trellis_core::generated::serde::Serialize,
            ::trellis_core::generated::serde::Deserialize,
        )]
        #[serde(crate = "::trellis_core::generated::serde")]
        pub struct #name { #(#fields)* }

        #codec
    }
}

fn variant(name: &syn::Ident, doc: &str, cases: &[Case]) -> TokenStream {
    let codec = codec::variant(name, cases);
    let copy = cases.iter().all(|case| case.ty.is_none()).then(|| quote!(Copy, Eq, Hash,));
    let cases = cases.iter().map(|case| {
        let (doc, camel, snake) = (&case.doc, names::camel(&case.name), names::snake(&case.name));
        let older = (snake != camel).then(|| quote!(alias = #snake,));
        let name = names::type_name(&case.name);
        let carried = case.ty.as_ref().map(|ty| {
            let ty = owned(ty);
            quote!((#ty))
        });
        quote!(#[doc = #doc] #[serde(rename = #camel, #older)] #name #carried,)
    });
    quote! {
        #[doc = #doc]
        #[derive(
            Clone, Debug, PartialEq, #copy
            ::trellis_core::generated::serde::Serialize,
            ::trellis_core::generated::serde::Deserialize,
        )]
        #[serde(crate = "::trellis_core::generated::serde")]
        pub enum #name { #(#cases)* }

        #codec
    }
}

/// The error of a `result` crosses as text, `kind: message`, where the kind is the case's name.
fn error(name: &syn::Ident, cases: &[Case]) -> TokenStream {
    let shown = cases.iter().map(|case| {
        let (kind, case_name) = (&case.name, names::type_name(&case.name));
        if case.ty.is_some() {
            let form = format!("{kind}: {{}}");
            quote!(Self::#case_name(message) => ::core::write!(f, #form, message),)
        } else {
            quote!(Self::#case_name => f.write_str(#kind),)
        }
    });
    let read = cases.iter().map(|case| {
        let (kind, case_name) = (&case.name, names::type_name(&case.name));
        let value = case.ty.as_ref().map(|_| quote!((message.to_owned())));
        quote!(#kind => Self::#case_name #value,)
    });
    quote! {
        impl #name {
            /// Which of these errors a call failed with, if it is one of them.
            #[must_use]
            pub fn of(error: &::trellis_core::CallError) -> ::core::option::Option<Self> {
                let (kind, message) =
                    error.message().split_once(": ").unwrap_or((error.message(), ""));
                let _ = message;
                ::core::option::Option::Some(match kind {
                    #(#read)*
                    _ => return ::core::option::Option::None,
                })
            }
        }

        impl ::core::fmt::Display for #name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                match self { #(#shown)* }
            }
        }

        impl ::std::error::Error for #name {}

        impl ::core::convert::From<#name> for ::trellis_core::CallError {
            fn from(error: #name) -> Self {
                let sentence = ::std::string::ToString::to_string(&error);
                Self::new(::trellis_core::Code::Provider, sentence)
            }
        }
    }
}
