//! Meters that every call touches.
//!
//! A counter or histogram shared by all threads makes them wait for one another's cache lines, and
//! a locked one for one another's locks: on a call of a microsecond that is a good part. Here every
//! thread writes to a place of its own, and the places are summed when somebody asks. The cheap
//! clock they need is here as well: reading a precise one costs as much as all of that. So is the
//! bucket that bounds how often something is written down, and the count that bounds how often
//! something that fails is started again.
//!
//! **Deliberately absent:** names and labels. Who owns a meter registers it. What happens only when
//! something is wrong needs none of this: an ordinary counter does.

mod bucket;
mod clock;
mod restarts;
mod threads;
mod times;

pub use bucket::TokenBucket;
pub use clock::{Coarse, Tick};
pub use restarts::{BACKOFF_MAX, RESTART_WINDOW, RESTARTS_MAX, Restart, Restarts};
pub use threads::{Mine, Padded, own, shard_count, thread_number};
pub use times::{Times, Timing};
