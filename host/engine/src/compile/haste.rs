//! How much of the machine a compilation may take.

/// The share of a compilation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Haste {
    /// The host serves: compiling must not be felt.
    OneThread,
    /// Nothing else is going on.
    AllCores,
}
