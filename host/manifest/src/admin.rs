//! `host: {admin: …}`: an address, or a mapping with it and with who may use the API there.

use std::collections::HashSet;
use std::net::SocketAddr;

use serde_json::{Value as Json, json};

use crate::form::{Form, List, Text, choice, misfit};
use crate::object::object;
use crate::report::{Problem, Problems, quoted};
use crate::source::Spanned;
use crate::spec::{AdminScope, AdminUserSpec};
use crate::tree::{Node, Value};

choice!(AdminScope { Read = "read", Operate = "operate", Admin = "admin" });

object! {
    /// The admin address, and who may use the API there.
    AdminKeys("`admin`") {
        /// Address of `/livez`, `/readyz` and `/metrics`, and of `/v1` for `users`; without it
        /// `--admin` says which, or there is none.
        address: Option<Spanned<SocketAddr>>,
        /// Whose bearer tokens are taken for `/v1`; nobody's without it.
        users: List<User>,
    }
}

object! {
    /// A user of the admin API over the network.
    User("a user") {
        /// The user's key (`U...`), which signs the tokens.
        key: Text,
        /// The most that a token may be good for. `read`: look. `operate`: also call actors.
        /// `admin`: also change what runs.
        scope: AdminScope,
    }
}

/// The admin address with its users, or only the address.
pub(crate) struct Admin(pub(crate) AdminKeys);

impl Form for Admin {
    fn schema() -> Json {
        json!({ "anyOf": [Spanned::<SocketAddr>::schema(), AdminKeys::schema()] })
    }

    fn read(node: &Node, what: &str, problems: &mut Problems) -> Option<Self> {
        let address = match &node.value {
            Value::Mapping(_) => return AdminKeys::read(node, what, problems).map(Self),
            Value::Scalar { .. } | Value::Unknown => Spanned::read(node, what, problems),
            _ => {
                let form = "an IP address and a port, or a mapping with `address` and `users`";
                misfit(node, what, form, problems);
                None
            }
        };
        let users = List { items: Vec::new(), whole: true };
        Some(Self(AdminKeys { address: Some(address?), users }))
    }
}

/// The users, each of whom is listed once.
pub(crate) fn users(written: List<User>, problems: &mut Problems) -> Vec<AdminUserSpec> {
    let mut keys = HashSet::new();
    let mut specs = Vec::with_capacity(written.items.len());
    for Spanned { value: User { key, scope }, .. } in written.items {
        if !keys.insert(key.value.clone()) {
            let message = format!("the user {} is listed twice", quoted(&key));
            let help = "keep the one with the scope that is meant";
            problems.push(Problem::new(key.span, message).help(help));
        }
        specs.push(AdminUserSpec { key, scope });
    }
    specs
}
