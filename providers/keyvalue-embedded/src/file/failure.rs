//! Why an operation on the file did not happen.

use trellis_core::CallError;

/// The request's own fault, or the file's.
#[derive(Debug)]
pub(super) enum Failure {
    /// The request cannot be carried out; nothing was written for it.
    Refused(CallError),
    /// It can be carried out once more of what is gone has been removed; nothing was written.
    Later,
    /// The file failed; nothing of the transaction stays.
    Broken(Box<redb::Error>),
}

impl From<CallError> for Failure {
    fn from(refused: CallError) -> Self {
        Self::Refused(refused)
    }
}

impl From<redb::Error> for Failure {
    fn from(broken: redb::Error) -> Self {
        Self::Broken(Box::new(broken))
    }
}

impl From<redb::StorageError> for Failure {
    fn from(broken: redb::StorageError) -> Self {
        redb::Error::from(broken).into()
    }
}

impl From<Box<redb::Error>> for Failure {
    fn from(broken: Box<redb::Error>) -> Self {
        Self::Broken(broken)
    }
}
