//! The sandbox: compiles, caches, pools and calls WebAssembly actors on wasmtime.
