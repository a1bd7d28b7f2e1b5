//! The OpenAPI document of the admin API: what is at which path, and what the answers look like.
//!
//! `cargo xtask generate` writes it to `docs/admin-api.openapi.json`, and a host serves it. A test
//! compares the schemas with the types: a field that is missing here, or is none any more, is red.

mod changes;
mod kept;
mod paths;
mod schema;
mod schemas;
#[cfg(test)]
mod tests;
mod watching;

use serde_json::{Value, json};

/// The document, with a line end.
#[must_use]
pub fn openapi() -> String {
    format!("{:#}\n", document())
}

fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Trellis admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What a host runs and wants to run, and calls of its actors. The same \
                            paths are at the host's socket, for its user, and at its admin \
                            address, for users with a token.",
        },
        "servers": [{ "url": "http://127.0.0.1:9182", "description": "A host's admin address." }],
        "security": [{ "bearer": [] }, {}],
        "paths": paths::all(),
        "components": {
            "schemas": schemas::all(),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "At the admin address; at the socket the kernel says who asks. \
                                    `trellis token create` makes tokens.",
                },
            },
        },
    })
}
