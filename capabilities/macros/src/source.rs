//! The WIT file, read and resolved.

use std::path::PathBuf;

use syn::LitStr;
use wit_parser::{PackageId, Resolve, Span, World};

use crate::input::Arguments;

/// A parsed WIT file.
pub(crate) struct Wit {
    /// Every item of the file.
    pub(crate) resolve: Resolve,
    /// The one package of the file.
    pub(crate) package: PackageId,
    /// Where it lies, for `include_str!`.
    pub(crate) path: String,
    literal: LitStr,
}

/// Reads the file that the arguments name.
///
/// # Errors
/// A compile error at the file's name, which quotes the line of the WIT file.
pub(crate) fn read(arguments: &Arguments) -> syn::Result<Wit> {
    let literal = arguments.file.clone();
    let wrong = |message: String| syn::Error::new(literal.span(), message);
    let folder = std::env::var_os("CARGO_MANIFEST_DIR")
        .ok_or_else(|| wrong("CARGO_MANIFEST_DIR is not set: build with cargo".to_owned()))?;
    let name = literal.value();
    let path = PathBuf::from(folder).join(&name);
    let text = std::fs::read_to_string(&path).map_err(|error| {
        wrong(format!("cannot read {name} (looked for beside Cargo.toml): {error}"))
    })?;
    let mut resolve = Resolve::default();
    let package =
        resolve.push_source(&name, &text).map_err(|error| wrong(resolve.render_error(&error)))?;
    let path = path.to_string_lossy().into_owned();
    Ok(Wit { resolve, package, path, literal })
}

impl Wit {
    /// The `world actor` of the package.
    ///
    /// # Errors
    /// A compile error when there is none.
    pub(crate) fn world(&self) -> syn::Result<&World> {
        let package = &self.resolve.packages[self.package];
        package.worlds.get("actor").map(|id| &self.resolve.worlds[*id]).ok_or_else(|| {
            let name = &package.name;
            self.problem(
                None,
                &format!(
                    "package `{name}` has no `world actor`: it says what an \
                actor imports from the provider and exports to it"
                ),
            )
        })
    }

    /// A compile error that names the place in the WIT file.
    pub(crate) fn problem(&self, span: Option<Span>, message: &str) -> syn::Error {
        let place =
            span.map_or_else(|| self.literal.value(), |span| self.resolve.render_location(span));
        syn::Error::new(self.literal.span(), format!("{place}: {message}"))
    }
}
