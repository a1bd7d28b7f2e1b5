//! What there is to say of a file, as its callers are told. No sentence holds its path: the log
//! does.

use std::io::{Error, ErrorKind};

use trellis_core::{CallError, Code};

pub(super) fn lately() -> CallError {
    of("could not be written lately and is being opened again; try later")
}

/// It is not, or no longer, a store.
pub(super) fn damaged() -> CallError {
    of("is damaged or not a key-value file; restore it from a copy, or move it away")
}

pub(super) fn cut_short() -> CallError {
    of("is damaged, because another program cut it short or wrote over it while it is in use; \
        restore it from a copy, or stop the host and move it away")
}

/// True for the sentences that say that it is no store any more.
pub(super) fn is_damage(error: &CallError) -> bool {
    *error == damaged() || *error == cut_short()
}

pub(super) fn in_use() -> CallError {
    of("is in use by another process; stop the host that uses it, or give this one a PATH of its \
        own")
}

pub(super) fn leads_nowhere() -> CallError {
    of("is not there: PATH is a link to what does not exist; put the file back to where the link \
        leads, or correct or remove the link")
}

/// What the system says of it.
pub(super) fn of_io(error: &Error) -> CallError {
    match error.kind() {
        kind if is_full(kind) => of("cannot grow: the disk is full; free space there"),
        ErrorKind::ReadOnlyFilesystem => of("is on a disk that is mounted read-only"),
        ErrorKind::PermissionDenied => {
            of("may not be read and written by the host's user; change its permissions")
        }
        ErrorKind::NotFound => of("is gone"),
        // Making the folder finds that a file stands where it should be.
        ErrorKind::IsADirectory | ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            of("is not a file in a folder; correct PATH")
        }
        ErrorKind::InvalidData | ErrorKind::UnexpectedEof => damaged(),
        kind => of(&format!("cannot be read or written ({kind})")),
    }
}

/// What a store says of it that was not open yet.
pub(super) fn of_store(broken: &redb::Error) -> CallError {
    use redb::Error as E;
    match broken {
        E::Io(error) => of_io(error),
        E::DatabaseAlreadyOpen => in_use(),
        E::UpgradeRequired(_) => of("was written by an older, incompatible version"),
        E::Corrupted(_) | E::RepairAborted | E::TableTypeMismatch { .. } => damaged(),
        _ => of("cannot be used"),
    }
}

/// A sentence about the file.
pub(super) fn of(what: &str) -> CallError {
    CallError::new(Code::Storage, format!("the key-value file {what}"))
}

pub(super) const fn is_full(kind: ErrorKind) -> bool {
    use ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(kind, StorageFull | QuotaExceeded | FileTooLarge)
}
