//! What runs, for people and probes.

/// What runs; a snapshot the owner task publishes after each change.
#[derive(Default, Debug)]
pub struct Status {
    /// Everything that can be told to another process.
    pub state: trellis_control::Status,
    /// True when bindings are wanted over which calls come in, and none of them is in force.
    pub serves_nothing: bool,
}
