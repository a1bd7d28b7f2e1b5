//! A store in a file: begun when there is none, or only opened.

use std::fs::File;
use std::io::ErrorKind;
use std::sync::Arc;

use redb::{Builder, Database, ReadableDatabase};

use super::backend::{Backend, Imprint};
use super::tables::Tables;
use super::view::View;

/// A store in a file, and what it knows of the file.
pub(super) struct Store {
    pub(super) database: Database,
    pub(super) imprint: Arc<Imprint>,
    /// What its keys and values are charged.
    pub(super) bytes: u64,
}

impl Store {
    /// The store in the file, begun when there is none. `cache_bytes` are for its pages.
    ///
    /// # Errors
    /// What the file did.
    pub(super) fn begin_in(file: File, cache_bytes: usize) -> Result<Self, redb::Error> {
        Self::over(Backend::new(file)?, cache_bytes)
    }

    /// The store in a file that somebody put there: one of an older version has what it lacks
    /// added, and none is begun in a file that is empty.
    ///
    /// # Errors
    /// What the file did, or that it is no store.
    pub(super) fn found_in(file: File, cache_bytes: usize) -> Result<Self, redb::Error> {
        Self::over(not_empty(Backend::new(file)?)?, cache_bytes)
    }

    /// The store in a file that is known to be one; nothing is begun in a file that is not.
    ///
    /// # Errors
    /// As [`found_in`](Self::found_in).
    pub(super) fn known_in(file: File, cache_bytes: usize) -> Result<Self, redb::Error> {
        let (database, imprint) = opened(not_empty(Backend::new(file)?)?, cache_bytes)?;
        let bytes = View::whole(&database.begin_read()?)?.ok_or_else(damaged)?;
        Ok(Self { database, imprint, bytes })
    }

    fn over(backend: Backend, cache_bytes: usize) -> Result<Self, redb::Error> {
        let (database, imprint) = opened(backend, cache_bytes)?;
        // A file that has everything is not written to: that it opens must not depend on room.
        if let Some(bytes) = View::whole(&database.begin_read()?)? {
            return Ok(Self { database, imprint, bytes });
        }
        let txn = database.begin_write()?;
        let mut tables = Tables::open(&txn, 0, (0, 0))?;
        let bytes = tables.count_bytes()?;
        drop(tables);
        txn.commit()?;
        Ok(Self { database, imprint, bytes })
    }
}

fn opened(backend: Backend, cache_bytes: usize) -> Result<(Database, Arc<Imprint>), redb::Error> {
    let imprint = backend.imprint();
    let mut builder = Builder::new();
    let database = builder.set_cache_size(cache_bytes).create_with_backend(backend)?;
    Ok((database, imprint))
}

/// Asked of the backend and not of the file, which another program may empty in between: the
/// backend notices whatever happens to the file once it has it.
fn not_empty(backend: Backend) -> Result<Backend, redb::Error> {
    if backend.imprint().is_of_nothing() { Err(damaged()) } else { Ok(backend) }
}

fn damaged() -> redb::Error {
    redb::Error::Io(ErrorKind::InvalidData.into())
}
