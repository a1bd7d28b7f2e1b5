//! What a manifest or a command line names: a file, or an image in a registry.

use std::path::{Path, PathBuf};

use trellis_core::CallError;

use crate::image::Image;

/// What a text names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Named {
    /// A file of this machine.
    File(PathBuf),
    /// An image in a registry.
    Image(Image),
}

impl Named {
    /// What `text` names in a manifest whose folder is `folder`. A path starts there unless it is
    /// absolute.
    ///
    /// # Errors
    /// [`trellis_core::Code::Image`] as [`Image::parse`].
    pub fn read(folder: &Path, text: &str) -> Result<Self, CallError> {
        if is_like_an_image(text) {
            Image::parse(text).map(Self::Image)
        } else {
            Ok(Self::File(folder.join(text)))
        }
    }
}

/// True for a text that is read as a reference to an image and not as a path.
///
/// A path begins with `/`, `./` or `../`, or ends in `.wasm`, `.wat`, `.par` or `.par.gz`. Of other
/// texts, those are references whose first part is like a host (it has a `:` or a `.`, or is
/// `localhost`) and that have a `:` or an `@`, as a port, a tag or a digest brings it. No path of a
/// module or an archive is like that.
#[must_use]
pub fn is_like_an_image(text: &str) -> bool {
    let is_path = ["/", "./", "../"].iter().any(|start| text.starts_with(start))
        || [".wasm", ".wat", ".par", ".par.gz"].iter().any(|end| text.ends_with(end));
    let Some((first, rest)) = text.split_once('/').filter(|_| !is_path) else { return false };
    let is_host = first == "localhost" || first.contains([':', '.']) && !first.starts_with('.');
    is_host && (first.contains(':') || rest.contains([':', '@']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_a_path_is_one() {
        for path in [
            "counter",
            "counter.wasm",
            "target/counter_s.wasm",
            "build.d/counter",
            "my.site/v1/counter",
            "../a:b/c:d",
            "./localhost:5000/a:1",
            "/srv/a:1",
            ".hidden/a:1",
            "registry.example.com/a:1.wasm",
            "registry.example.com/a:1.par.gz",
            "localhost/counter",
            "a:1",
        ] {
            let named = Named::read(Path::new("f"), path).expect("a path");
            assert_eq!(named, Named::File(Path::new("f").join(path)), "{path}");
        }
    }

    #[test]
    fn a_host_with_a_version_behind_it_is_an_image() {
        for text in ["localhost:5000/a:1", "ghcr.io/a/b:1", "localhost/a:1", "[::1]:5000/a:1"] {
            let named = Named::read(Path::new("f"), text).expect(text);
            assert_eq!(named, Named::Image(Image::parse(text).expect(text)));
        }
        for wrong in ["localhost:5000/a", "oci://ghcr.io/a:1", "ghcr.io/A:1", "ghcr.io/a@1"] {
            assert!(Named::read(Path::new("f"), wrong).is_err(), "{wrong}");
        }
    }
}
