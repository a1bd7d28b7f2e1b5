//! The code with which a message writes and reads itself.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Ident;

use crate::generate::field::owned;
use crate::model::{Case, Field, Type};
use crate::names;

/// `Encode` and `Decode` of a record.
pub(super) fn record(name: &Ident, fields: &[Field]) -> TokenStream {
    let value = |field: &Field| {
        let name = names::field(&field.name);
        quote!(&self.#name)
    };
    let entries = entries(fields, value);
    let slots = fields.iter().enumerate().map(|(position, field)| {
        let (slot, ty) = (slot(position), owned(&field.ty));
        quote!(let mut #slot: ::core::option::Option<#ty> = ::core::option::Option::None;)
    });
    let keys = fields.iter().enumerate().map(|(position, field)| {
        let keys = spellings(&field.name, field.also.as_deref());
        quote!(#(#keys)|* => #position,)
    });
    let reads = fields.iter().enumerate().map(|(position, field)| {
        let (slot, key) = (slot(position), names::camel(&field.name));
        quote! {
            #position => {
                #slot = ::core::option::Option::Some(
                    ::trellis_core::wire::message::field(input, #key)?,
                );
            }
        }
    });
    let values = fields.iter().enumerate().map(|(position, field)| {
        let (name, slot, key) =
            (names::field(&field.name), slot(position), names::camel(&field.name));
        if field.ty.may_be_missing() {
            quote!(#name: #slot.unwrap_or_default(),)
        } else {
            quote!(#name: ::trellis_core::wire::message::required(#slot, #key)?,)
        }
    });
    let read = quote! {
        #(#slots)*
        let mut fields = input.record()?;
        while let ::core::option::Option::Some(position) = fields.next(input, |key| match key {
            #(#keys)*
            _ => usize::MAX,
        })? {
            match position {
                #(#reads)*
                _ => input.skip()?,
            }
        }
        ::core::result::Result::Ok(Self { #(#values)* })
    };
    implementations(name, &entries, &read)
}

/// The variable of a field's value while the record is read. In a WIT name no word begins with a
/// digit, so no other variable has this name; the same is true of `out_0`.
fn slot(position: usize) -> Ident {
    Ident::new(&format!("slot_{position}"), proc_macro2::Span::call_site())
}

/// Statements that write a map of the fields to `out_0`; `None` is left out.
pub(super) fn entries(fields: &[Field], value: impl Fn(&Field) -> TokenStream) -> TokenStream {
    let is_optional = |field: &&Field| matches!(field.ty, Type::Option(_));
    let always = fields.iter().filter(|field| !is_optional(field)).count();
    let sometimes = fields.iter().filter(is_optional).map(|field| {
        let value = value(field);
        quote!(+ usize::from((#value).is_some()))
    });
    let writes = fields.iter().map(|field| {
        let (key, value) = (names::camel(&field.name), value(field));
        let write = |value: TokenStream| {
            quote! {
                ::trellis_core::wire::writer::text(out_0, #key);
                ::trellis_core::wire::Encode::write(#value, out_0);
            }
        };
        if is_optional(&field) {
            let write = write(quote!(&value));
            quote!(if let ::core::option::Option::Some(value) = #value { #write })
        } else {
            write(quote!(&#value))
        }
    });
    quote! {
        ::trellis_core::wire::writer::map(out_0, #always #(#sometimes)*);
        #(#writes)*
    }
}

/// `Encode` and `Decode` of an enum or variant.
pub(super) fn variant(name: &Ident, cases: &[Case]) -> TokenStream {
    let writes = cases.iter().map(|case| {
        let (key, name) = (names::camel(&case.name), names::type_name(&case.name));
        let text = quote!(::trellis_core::wire::writer::text(out_0, #key));
        if case.ty.is_some() {
            quote!(Self::#name(value) => {
                ::trellis_core::wire::writer::map(out_0, 1);
                #text;
                ::trellis_core::wire::Encode::write(value, out_0);
            })
        } else {
            quote!(Self::#name => #text,)
        }
    });
    let keys = cases.iter().enumerate().map(|(position, case)| {
        let keys = spellings(&case.name, None);
        quote!(#(#keys)|* => #position,)
    });
    let reads = cases.iter().enumerate().map(|(position, case)| {
        let (key, name) = (names::camel(&case.name), names::type_name(&case.name));
        if case.ty.is_some() {
            quote!((#position, true) => {
                Self::#name(::trellis_core::wire::message::field(input, #key)?)
            })
        } else {
            quote! {
                (#position, false) => Self::#name,
                (#position, true) => {
                    input.skip()?;
                    Self::#name
                }
            }
        }
    });
    let expected = format!("a case of {name}");
    let unknown = quote! {
        ::core::result::Result::Err(::trellis_core::wire::reader::Malformed::expected(#expected))
    };
    let write = quote!(match self { #(#writes)* });
    let read = quote! {
        let carries = match input.map_len()? {
            ::core::option::Option::None => false,
            ::core::option::Option::Some(1) => true,
            ::core::option::Option::Some(_) => return #unknown,
        };
        let position = input.case(|key| match key {
            #(#keys)*
            _ => usize::MAX,
        })?;
        ::core::result::Result::Ok(match (position, carries) {
            #(#reads)*
            _ => return #unknown,
        })
    };
    implementations(name, &write, &read)
}

fn implementations(name: &Ident, write: &TokenStream, read: &TokenStream) -> TokenStream {
    quote! {
        impl ::trellis_core::wire::Encode for #name {
            fn write(&self, out_0: &mut ::std::vec::Vec<u8>) {
                #write
            }
        }

        impl ::trellis_core::wire::Decode for #name {
            fn read(
                input: &mut ::trellis_core::wire::reader::Reader<'_>,
            ) -> ::core::result::Result<Self, ::trellis_core::wire::reader::Malformed> {
                #read
            }
        }
    }
}

/// Every key that a name is read from, as byte-string patterns.
fn spellings(name: &str, also: Option<&str>) -> Vec<syn::LitByteStr> {
    let mut keys = vec![names::camel(name)];
    let snake = names::snake(name);
    if snake != keys[0] {
        keys.push(snake);
    }
    keys.extend(also.map(str::to_owned));
    let literal =
        |key: &String| syn::LitByteStr::new(key.as_bytes(), proc_macro2::Span::call_site());
    keys.iter().map(literal).collect()
}
