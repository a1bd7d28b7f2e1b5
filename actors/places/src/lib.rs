//! Answers `GET /NAME` with where that place is. It asks a provider of `demo:geo`, a contract that
//! no host knows: `geo.wit` beside `Cargo.toml` is all there is to it.
//!
//! **Deliberately absent:** who knows the places, and in which language that is written.

use trellis_actor::Host;
use trellis_actor::prelude::*;

pub mod geo {
    //! The contract: its messages, its operations and the client of who uses it.

    trellis_macros::contract! { "geo.wit", aliases: [] }
}

#[handler(http_server::HandleRequest)]
fn answer(request: http_server::Request) -> Result<http_server::Response> {
    let name = request.path.trim_start_matches('/').to_owned();
    let place = geo::Client::new(Host).locate(&name)?;
    let geo::Place { name, latitude, longitude } = place;
    let body = serde_json::json!({ "name": name, "latitude": latitude, "longitude": longitude });
    Ok(http_server::Response::text(body.to_string()))
}
