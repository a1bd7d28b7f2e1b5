//! `contract!`: one WIT file becomes messages, an operation table, a guest client and a provider
//! trait; and `#[handler]`, which an actor writes above a function.
//!
//! `input` reads the macro's arguments, and `source` parses the WIT file. `lower` turns it into the
//! small `model` of what the wire can carry, and collects everything that it cannot. `generate`
//! writes the Rust. Names and keys on the wire are made here, from the WIT names.
//!
//! **Deliberately absent:** the encoding of values, which is in `trellis_core::wire`; types that a
//! contract writes by hand (`with`), which name their own keys; any knowledge of a particular
//! contract; and files other than the one WIT file.

use proc_macro::TokenStream;

mod generate;
mod handler;
mod input;
mod lower;
mod model;
mod names;
mod source;

/// Generates a contract's items from a WIT file that is beside `Cargo.toml` or beside the source
/// file that names it.
///
/// ```ignore
/// trellis_macros::contract! {
///     "keyvalue.wit",
///     aliases: ["wasmcloud:keyvalue"],          // other ids that mean this contract
///     with: { "set-count": SetCount },          // WIT types written by hand in this crate
///     reads_also: { "line.body": "text" },      // another key that a field is read from
/// }
/// ```
///
/// It generates these items from `world actor`, in this order:
/// - `CONTRACT`: the id (`wascc:http-server` becomes `wascc:http_server`), aliases and operations;
/// - a struct, enum or alias for each WIT type, with the WIT's documentation;
/// - for each function, an uninhabited marker type (`ListItemDelete`) that implements
///   `trellis_core::OperationSpec`; and a struct of its parameters (`ListItemDeleteRequest`),
///   unless its only parameter is a record;
/// - `visit_operations`, which passes each of these markers to a `trellis_core::OperationVisitor`;
/// - when the world imports functions: `trait Provider` with an async method for each; `serve`,
///   which decodes a call, calls the trait and encodes the reply; and `Client`, which a guest
///   calls.
///
/// Everything in the file must be documented, because the generated items take their documentation
/// from it. WIT types with no form on the wire (flags, resources, handles, streams, futures, maps,
/// bare tuples, `char`) are compile errors that name their line.
#[proc_macro]
pub fn contract(input: TokenStream) -> TokenStream {
    let arguments = syn::parse_macro_input!(input as input::Arguments);
    source::read(&arguments)
        .and_then(|wit| lower::lower(&wit, &arguments).map(|model| (wit, model)))
        .map_or_else(|error| error.into_compile_error(), |(wit, model)| generate::all(&wit, &model))
        .into()
}

/// Makes a function an actor's handler of one operation.
///
/// `#[handler(http_server::HandleRequest)]` names an operation of a contract. The function takes
/// its request message, or nothing, and returns a `trellis_actor::Result` of its reply message.
/// `#[handler("Echo")]` names an operation outside any contract. The function takes `&[u8]` and
/// returns `trellis_actor::Result<Vec<u8>>`. The function itself does not change, so a test can
/// call it.
#[proc_macro_attribute]
pub fn handler(arguments: TokenStream, function: TokenStream) -> TokenStream {
    let operation = syn::parse_macro_input!(arguments as handler::Operation);
    let function = syn::parse_macro_input!(function as syn::ItemFn);
    handler::expand(&operation, &function).unwrap_or_else(syn::Error::into_compile_error).into()
}
