//! The replay gate: the latest calls of an actor are kept, and another version has to answer them
//! before it serves.
//!
//! What a call asked for itself is kept with its answers, and these are what the other version
//! gets: it reaches no provider and no actor, so a replay has no effects. It says of that version
//! what it does with this, no more: whoever asks for something else is not judged where it does.
//!
//! **Deliberately absent:** which version has to answer, and what becomes of one that does not.

mod judge;
mod keep;
mod kept;
mod playback;

pub use judge::{Replayed, replay};
pub use keep::{KeepingCalls, KeepingTarget};
pub use kept::{Kept, KeptBounds};
pub use playback::Playback;
