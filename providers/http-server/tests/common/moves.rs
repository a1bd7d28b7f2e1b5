//! Servers whose bindings move.

use std::net::SocketAddr;
use std::sync::Arc;

use trellis_capabilities_http_server::Response;
use trellis_core::{CallError, Code};
use trellis_providers_sdk::{Binding, BindingId, Newcomer, Provider};

use super::{binding, encoded, exchange, provider_of};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A server whose actors answer with its name and the number of their binding.
pub(crate) async fn server(lineage: &str) -> Arc<dyn Provider> {
    let name = lineage.to_owned();
    provider_of(lineage, move |invoke, _| {
        let answer = encoded(&Response::text(format!("{name} {}", invoke.binding.0)));
        async move { Ok(answer) }
    })
    .await
}

/// A binding of an actor, under an id of its own.
pub(crate) fn of(actor: u64, id: u64, port: u16) -> Binding {
    let port = port.to_string();
    Binding { id: BindingId(id), ..binding(actor, &[("PORT", &port)]) }
}

pub(crate) async fn bind(server: &Arc<dyn Provider>, binding: Binding) -> SocketAddr {
    let id = binding.id;
    server.bind(binding).await.expect("binds");
    let addresses = server.addresses();
    addresses.iter().find(|at| at.binding == id).expect("listens").address
}

/// A binding in the place of another one.
pub(crate) fn instead(replaces: u64, binding: Binding) -> Newcomer {
    Newcomer { binding, replaces: Some(BindingId(replaces)) }
}

pub(crate) async fn who(address: SocketAddr) -> String {
    exchange(address, GET).await.body
}

pub(crate) fn code(bound: &Result<(), CallError>) -> Option<Code> {
    bound.as_ref().err().map(CallError::code)
}
