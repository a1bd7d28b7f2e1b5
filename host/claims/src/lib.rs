//! nkeys, signed tokens in wasm modules, verification and the trust list: bytes in, claims out.
