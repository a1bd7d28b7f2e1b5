//! The arguments of `contract!`.

use std::collections::BTreeMap;

use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Ident, LitStr, Path, Token, braced, bracketed};

/// What `contract!` was given.
pub(crate) struct Arguments {
    /// The WIT file, beside the crate's `Cargo.toml` or beside the source file; errors point to it.
    pub(crate) file: LitStr,
    /// Other ids of the contract.
    pub(crate) aliases: Vec<LitStr>,
    /// WIT types that the crate writes by hand.
    pub(crate) with: BTreeMap<String, (LitStr, Path)>,
    /// `type.field` -> another key that the field is read from.
    pub(crate) reads_also: BTreeMap<String, (LitStr, LitStr)>,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let file = input.parse()?;
        let mut arguments =
            Self { file, aliases: Vec::new(), with: BTreeMap::new(), reads_also: BTreeMap::new() };
        while !input.is_empty() {
            input.parse::<Token![,]>()?;
            if input.is_empty() {
                break;
            }
            arguments.option(input)?;
        }
        Ok(arguments)
    }
}

impl Arguments {
    fn option(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let key: Ident = input.parse()?;
        input.parse::<Token![:]>()?;
        match key.to_string().as_str() {
            "aliases" => {
                let list;
                bracketed!(list in input);
                self.aliases =
                    Punctuated::<LitStr, Token![,]>::parse_terminated(&list)?.into_iter().collect();
            }
            "with" => self.with = table(input)?,
            "reads_also" => self.reads_also = table(input)?,
            _ => {
                let message = format!("unknown option `{key}`: use aliases, with or reads_also");
                return Err(syn::Error::new(key.span(), message));
            }
        }
        Ok(())
    }
}

fn table<V: Parse>(input: ParseStream<'_>) -> syn::Result<BTreeMap<String, (LitStr, V)>> {
    let entries;
    braced!(entries in input);
    let mut table = BTreeMap::new();
    while !entries.is_empty() {
        let key: LitStr = entries.parse()?;
        entries.parse::<Token![:]>()?;
        let value = entries.parse()?;
        table.insert(key.value(), (key, value));
        if !entries.is_empty() {
            entries.parse::<Token![,]>()?;
        }
    }
    Ok(table)
}
