//! The table of operations and their markers.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Ident;

use crate::generate::field::owned;
use crate::generate::types;
use crate::model::{Input, Model, Operation, Type};
use crate::names;

/// How the paragraph begins that says that an operation may be asked for twice.
const IDEMPOTENT: &str = "Idempotent:";

/// The contract as data.
pub(super) fn contract(model: &Model) -> TokenStream {
    let (id, aliases) = (&model.id, &model.aliases);
    let doc = format!("The contract `{id}`: its id, aliases and operations.");
    let operations = model.operations.iter().map(|operation| {
        let (name, doc) = (names::pascal(&operation.name), first_sentence(&operation.doc));
        let idempotent = operation.doc.lines().any(|line| line.trim().starts_with(IDEMPOTENT));
        let direction = if operation.to_provider { quote!(ToProvider) } else { quote!(ToActor) };
        quote! {
            ::trellis_core::Operation {
                name: ::std::borrow::Cow::Borrowed(#name),
                direction: ::trellis_core::Direction::#direction,
                doc: ::std::borrow::Cow::Borrowed(#doc),
                idempotent: #idempotent,
            }
        }
    });
    quote! {
        #[doc = #doc]
        pub const CONTRACT: ::trellis_core::Contract = {
            const ALIASES: &[::trellis_core::ContractId] =
                &[#(::trellis_core::ContractId::from_static(#aliases),)*];
            const OPERATIONS: &[::trellis_core::Operation] = &[#(#operations,)*];
            ::trellis_core::Contract {
                id: ::trellis_core::ContractId::from_static(#id),
                aliases: ::std::borrow::Cow::Borrowed(ALIASES),
                operations: ::std::borrow::Cow::Borrowed(OPERATIONS),
            }
        };

        /// The contract at a fixed address, for the markers.
        static TABLE: ::trellis_core::Contract = CONTRACT;
    }
}

/// The function that visits every marker, for what is done with all operations alike.
pub(super) fn visit(operations: &[Operation]) -> TokenStream {
    let markers = operations.iter().map(|operation| names::type_name(&operation.name));
    quote! {
        /// Passes each operation of the contract to `visitor`, in the order of the WIT file.
        pub fn visit_operations<V: ::trellis_core::OperationVisitor>(visitor: &mut V) {
            #(visitor.visit::<#markers>();)*
        }
    }
}

/// The marker of an operation, and the struct of its parameters when it has one.
pub(super) fn operation(operation: &Operation) -> TokenStream {
    let name = names::pascal(&operation.name);
    let (marker, doc) = (names::type_name(&operation.name), &operation.doc);
    let parameters = match &operation.input {
        Input::Parameters(fields) => {
            let doc = format!("The parameters of [`{name}`].");
            Some(types::record(&request_name(operation), &doc, fields))
        }
        Input::Empty | Input::Record(..) => None,
    };
    let (input, output) = (input_type(operation), output_type(operation));
    quote! {
        #parameters

        #[doc = #doc]
        #[derive(Clone, Copy, Debug)]
        pub enum #marker {}

        impl ::trellis_core::OperationSpec for #marker {
            const NAME: &'static str = #name;
            const CONTRACT: &'static ::trellis_core::Contract = &TABLE;
            type Input = #input;
            type Output = #output;
        }
    }
}

/// The type of the request message.
pub(super) fn input_type(operation: &Operation) -> TokenStream {
    match &operation.input {
        Input::Empty => quote!(()),
        Input::Record(_, ty) => owned(ty),
        Input::Parameters(_) => {
            let name = request_name(operation);
            quote!(#name)
        }
    }
}

/// The type of the reply message.
pub(super) fn output_type(operation: &Operation) -> TokenStream {
    operation.output.as_ref().map_or_else(|| quote!(()), |ty: &Type| owned(ty))
}

fn request_name(operation: &Operation) -> Ident {
    names::type_name(&format!("{}-request", operation.name))
}

/// The documentation up to its first full stop, on one line.
fn first_sentence(doc: &str) -> String {
    let paragraph = doc.split("\n\n").next().unwrap_or_default();
    let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.split_once(". ") {
        Some((sentence, _)) => format!("{sentence}."),
        None => line,
    }
}
