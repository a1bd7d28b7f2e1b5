//! What an edit is about, as it stands on a command line: by its name, which a shell completes.

use clap::Args;

use super::live;

/// An actor.
#[derive(Args, Debug)]
pub(crate) struct Actor {
    /// The actor's name.
    #[arg(add = live::actors())]
    pub(super) name: String,
}

/// A provider.
#[derive(Args, Debug)]
pub(crate) struct Provider {
    /// The provider's name.
    #[arg(add = live::providers())]
    pub(super) name: String,
}
