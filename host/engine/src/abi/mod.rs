//! The languages guests speak with the host. An ABI is a folder here and a line in
//! [`Linkers`].

pub(crate) mod wapc;
pub(crate) mod wasi;

use wasmtime::Linker;

use crate::instance::Guest;

/// Everything a guest may import, built once per engine.
pub(crate) struct Linkers {
    plain: Linker<Guest>,
    with_wasi: Linker<Guest>,
}

impl Linkers {
    pub(crate) fn new(engine: &wasmtime::Engine) -> wasmtime::Result<Self> {
        let mut plain = Linker::new(engine);
        wapc::imports::link(&mut plain)?;
        let mut with_wasi = plain.clone();
        wasi::link(&mut with_wasi)?;
        Ok(Self { plain, with_wasi })
    }

    /// The linker for a module; WASI only for those that import it.
    pub(crate) fn choose(&self, wasi: bool) -> &Linker<Guest> {
        if wasi { &self.with_wasi } else { &self.plain }
    }
}
