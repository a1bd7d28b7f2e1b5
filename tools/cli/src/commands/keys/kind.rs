//! Kinds of keys, as they are typed.

use clap::ValueEnum;
use trellis_claims::KeyKind;

/// The kind of a key, as it is typed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Kind {
    /// Signs actors and providers (A...).
    Account,
    /// Names an actor (M...).
    Module,
    /// Signs accounts and clusters (O...).
    Operator,
    /// Signs hosts (C...).
    Cluster,
    /// Names a host (N...).
    #[value(alias = "host")]
    Server,
    /// Names a provider (V...).
    #[value(alias = "provider")]
    Service,
    /// A user of NATS (U...).
    User,
}

impl From<Kind> for KeyKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Account => Self::Account,
            Kind::Module => Self::Module,
            Kind::Operator => Self::Operator,
            Kind::Cluster => Self::Cluster,
            Kind::Server => Self::Server,
            Kind::Service => Self::Service,
            Kind::User => Self::User,
        }
    }
}
