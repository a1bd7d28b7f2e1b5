//! How large an archive and what is in it may be.

use trellis_core::{CallError, Code};
use trellis_limits::Limit;
use trellis_limits::fixed::{
    ARCHIVE_BYTES, ARCHIVE_PROGRAM_BYTES, ARCHIVE_PROGRAMS, ARCHIVE_RATIO, ARCHIVE_TOKEN_BYTES,
    ARCHIVE_UNPACKED_BYTES,
};

/// What every compressed archive may unpack to, in bytes, whatever its ratio: a small one is mostly
/// padding.
const UNPACKED_FREE_BYTES: u64 = 1 << 20;

/// The values of the limits, so that tests can have smaller ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) archive_bytes: u64,
    pub(crate) token_bytes: u64,
    pub(crate) program_bytes: u64,
    pub(crate) unpacked_bytes: u64,
    pub(crate) ratio: u64,
    pub(crate) programs: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            archive_bytes: ARCHIVE_BYTES.default,
            token_bytes: ARCHIVE_TOKEN_BYTES.default,
            program_bytes: ARCHIVE_PROGRAM_BYTES.default,
            unpacked_bytes: ARCHIVE_UNPACKED_BYTES.default,
            ratio: ARCHIVE_RATIO.default,
            programs: ARCHIVE_PROGRAMS.default,
        }
    }
}

impl Bounds {
    /// The most that a compressed archive of that size may unpack to, in bytes, and why not more.
    pub(crate) fn unpacked(&self, archive_bytes: u64) -> (u64, CallError) {
        let by_ratio = archive_bytes.saturating_mul(self.ratio).max(UNPACKED_FREE_BYTES);
        if by_ratio < self.unpacked_bytes {
            (by_ratio, over(&ARCHIVE_RATIO, self.ratio, "it unpacks to too much"))
        } else {
            let bytes = self.unpacked_bytes;
            (bytes, over(&ARCHIVE_UNPACKED_BYTES, bytes, "it unpacks to too much"))
        }
    }
}

/// What is wrong with a file that is to be an archive.
pub(crate) fn unsound(what: impl Into<String>) -> CallError {
    CallError::new(Code::Archive, what.into())
}

/// A limit is exceeded, whose value is `max`.
pub(crate) fn over(limit: &Limit, max: u64, what: &str) -> CallError {
    unsound(format!("{what}: {} is {max} {}", limit.name, limit.unit))
}
