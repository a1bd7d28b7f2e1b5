//! `contract!`: one WIT file becomes messages, an operation table, a guest client and a provider
//! trait; and `#[handler]`, which an actor writes above a function.
//!
//! The way of a contract: `input` reads the macro's arguments, `source` parses the WIT file,
//! `lower` turns it into the small `model` of what the wire can carry and collects everything
//! it cannot, `generate` writes the Rust.
//!
//! **Deliberately absent:** the encoding itself (`trellis_core::wire` has it, the generated code
//! only names keys), any knowledge of a particular contract, and files other than the one WIT file.

use proc_macro::TokenStream;

mod generate;
mod handler;
mod input;
mod lower;
mod model;
mod names;
mod source;

/// Generates a contract's items from a WIT file, which lies beside `Cargo.toml` or beside the
/// source file that names it.
///
/// ```ignore
/// trellis_macros::contract! {
///     "keyvalue.wit",
///     aliases: ["wasmcloud:keyvalue"],          // other ids that mean this contract
///     with: { "set-count": SetCount },          // WIT types written by hand in this crate
///     reads_also: { "line.body": "text" },      // a further key a field is read from
/// }
/// ```
///
/// From `world actor` it makes, in this order:
/// - `CONTRACT`: the id (`wascc:http-server` becomes `wascc:http_server`), aliases and operations;
/// - a struct, enum or alias for each WIT type, with the WIT's documentation;
/// - for each function an uninhabited marker type (`ListItemDelete`) that implements
///   `trellis_core::OperationSpec`, and, unless its only parameter is a record, a struct of its
///   parameters (`ListItemDeleteRequest`);
/// - `visit_operations`, which shows a `trellis_core::OperationVisitor` each of these markers;
/// - when the world imports functions: `trait Provider` with one async method each, `serve`, which
///   decodes, calls the trait and encodes, and `Client`, through which a guest calls.
///
/// Everything in the file must be documented: the documentation of the generated items is taken
/// from it. WIT types the wire has no form for (flags, resources, handles, streams, futures, maps,
/// bare tuples, `char`) are refused at compile time with their line.
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
/// `#[handler(http_server::HandleRequest)]` names an operation of a contract: the function takes
/// its request message (or nothing) and answers `trellis_actor::Result` of its reply message.
/// `#[handler("Echo")]` names an operation outside any contract: the function takes `&[u8]` and
/// answers `trellis_actor::Result<Vec<u8>>`. The function itself stays as it is, so that a test can
/// call it.
#[proc_macro_attribute]
pub fn handler(arguments: TokenStream, function: TokenStream) -> TokenStream {
    let operation = syn::parse_macro_input!(arguments as handler::Operation);
    let function = syn::parse_macro_input!(function as syn::ItemFn);
    handler::expand(&operation, &function).unwrap_or_else(syn::Error::into_compile_error).into()
}
