//! What an image may hold.

use trellis_core::Code;
use trellis_limits::fixed::ARCHIVE_BYTES;

/// What an image holds. A closed list: each kind knows how its one layer is called. Fetching, the
/// cache and credentials know nothing of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ImageKind {
    /// A module, in the layout of the CNCF for WebAssembly.
    Module,
    /// The archive of a provider, as wasmCloud's tools push it.
    Archive,
}

impl ImageKind {
    /// Both.
    pub const ALL: &'static [Self] = &[Self::Module, Self::Archive];

    /// The media types of its layer: the one that is written, and those that are taken as well.
    pub(crate) const fn layers(self) -> &'static [&'static str] {
        match self {
            // The others are those of tools before there was a layout.
            Self::Module => &[
                "application/wasm",
                "application/vnd.module.wasm.content.layer.v1+wasm",
                "application/vnd.wasm.content.layer.v1+wasm",
            ],
            Self::Archive => &["application/vnd.wasmcloud.provider.archive.layer.v1+par"],
        }
    }

    /// The media type of the config that is written.
    pub(crate) const fn config(self) -> &'static str {
        match self {
            Self::Module => "application/vnd.wasm.config.v0+json",
            Self::Archive => "application/vnd.wasmcloud.provider.archive.config",
        }
    }

    /// What it runs on, as the config says: of every core module, whether or not it imports WASI.
    /// An archive says so itself.
    pub(crate) const fn platform(self) -> (Option<&'static str>, Option<&'static str>) {
        match self {
            Self::Module => (Some("wasm"), Some("wasip1")),
            Self::Archive => (None, None),
        }
    }

    /// What it is called.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Module => "a module",
            Self::Archive => "an archive",
        }
    }

    /// The code and the name of the limit of its size.
    pub(crate) const fn limit(self) -> (Code, &'static str) {
        match self {
            Self::Module => (Code::ModuleLimit, "module_bytes_max"),
            Self::Archive => (Code::Archive, ARCHIVE_BYTES.name),
        }
    }
}
