//! What a scan finds.

use crate::source::{Span, Spanned};

/// What was found.
#[derive(Default)]
pub(crate) struct Scanned {
    /// What has the form of an account's or an actor's public key.
    pub(crate) revoked: Vec<Spanned<String>>,
    /// What stands in its place and has not.
    pub(crate) unread: Vec<Span>,
}
