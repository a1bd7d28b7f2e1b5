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
    /// Its path, for `include_str!`.
    pub(crate) path: String,
    literal: LitStr,
}

/// Reads the file that the arguments name.
///
/// # Errors
/// A compile error at the file's name that quotes the line of the WIT file.
pub(crate) fn read(arguments: &Arguments) -> syn::Result<Wit> {
    let literal = arguments.file.clone();
    let wrong = |message: String| syn::Error::new(literal.span(), message);
    let name = literal.value();
    let path = find(&literal, &name).ok_or_else(|| {
        wrong(format!(
            "{name} was not found, neither beside Cargo.toml nor beside this source file"
        ))
    })?;
    let text = std::fs::read_to_string(&path)
        .map_err(|error| wrong(format!("cannot read {name}: {error}")))?;
    let mut resolve = Resolve::default();
    let package =
        resolve.push_source(&name, &text).map_err(|error| wrong(resolve.render_error(&error)))?;
    let path = path.to_string_lossy().into_owned();
    Ok(Wit { resolve, package, path, literal })
}

/// Where the file is: beside `Cargo.toml`, or beside the source file that names it.
fn find(literal: &LitStr, name: &str) -> Option<PathBuf> {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let source = literal.span().unwrap().local_file().and_then(|file| {
        let file = std::path::absolute(file).ok()?;
        file.parent().map(PathBuf::from)
    });
    let folders = [package, source].into_iter().flatten();
    folders.map(|folder| folder.join(name)).find(|path| path.is_file())
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
                    "package `{name}` has no `world actor`, which says what an \
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
