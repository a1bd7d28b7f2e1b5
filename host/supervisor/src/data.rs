//! What a binding's actor has in a store, for the owner of the host: page by page, and in.

use tokio::time::timeout;
use trellis_control::{DataImport, DataKind, DataPage, DataPiece, DataQuery, DataTaken};
use trellis_core::{BindingId, CallError, Code};
use trellis_providers_sdk::data::{
    ExportData, ExportDataRequest, ImportData, ImportDataRequest, Kind, Piece,
};

use crate::actual::{ActualState, RunningBinding};
use crate::border::Instance;
use crate::moving::{PAGE_BYTES, ask};
use crate::supervisor::Supervisor;

/// Longest wait for data that are being moved to another store.
const MOVE_PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

impl Supervisor {
    /// A page of what an actor has in the store behind its binding of this name.
    ///
    /// # Errors
    /// [`Code::NotFound`] without such a binding, [`Code::Data`] when its provider has no way to
    /// tell; what that says.
    pub async fn export_data(
        &self,
        binding: (&str, &str),
        query: DataQuery,
    ) -> Result<DataPage, CallError> {
        let _still = self.still().await?;
        let (instance, id) = self.store_of(binding)?;
        let DataQuery { from, keys, names_only } = query;
        let cursor = from.unwrap_or_default();
        let request = ExportDataRequest { cursor, keys, names_only, bytes_max: PAGE_BYTES };
        let page = ask::<ExportData>(&instance, id, &request).await?;
        let pieces = page.pieces.into_iter().map(shown).collect();
        Ok(DataPage { pieces, next: Some(page.next).filter(|next| !next.is_empty()) })
    }

    /// Puts keys there.
    ///
    /// # Errors
    /// As [`export_data`](Self::export_data); [`Code::Data`] for a key that is there, unless it is
    /// to be replaced.
    pub async fn import_data(
        &self,
        binding: (&str, &str),
        import: DataImport,
    ) -> Result<DataTaken, CallError> {
        let _still = self.still().await?;
        let (instance, id) = self.store_of(binding)?;
        let pieces: Vec<_> = import.pieces.into_iter().map(read).collect();
        pieces.iter().try_for_each(Piece::check)?;
        let begun = pieces.iter().filter(|piece| piece.begins());
        let keys: Vec<_> = begun.map(|piece| piece.key.clone()).collect();
        if !import.replace && !keys.is_empty() {
            let (cursor, names_only, bytes_max) = (String::new(), true, 1);
            let request = ExportDataRequest { cursor, keys, names_only, bytes_max };
            let page = ask::<ExportData>(&instance, id, &request).await?;
            if let Some(piece) = page.pieces.first() {
                let text = format!(
                    "the key {:?} is there already, and nothing was put there; `--replace` puts \
                     other values in the place of such keys",
                    piece.key.chars().take(64).collect::<String>()
                );
                return Err(CallError::new(Code::Data, text));
            }
        }
        let taken = ask::<ImportData>(&instance, id, &ImportDataRequest { pieces }).await?;
        Ok(DataTaken { keys: taken.keys })
    }

    /// As long as this is held, nothing is moved to another store: what is put into one that is
    /// being left would be lost.
    async fn still(&self) -> Result<tokio::sync::RwLockReadGuard<'_, ()>, CallError> {
        timeout(MOVE_PATIENCE, self.shared.moving.read()).await.map_err(|_| {
            CallError::new(Code::Busy, "data are being moved to another store; ask again")
        })
    }

    fn store_of(&self, (actor, name): (&str, &str)) -> Result<(Instance, BindingId), CallError> {
        self.shared.look(|actual| {
            let own = || {
                let current = actual.current.iter().filter(|(key, _)| *key.actor == *actor);
                let bindings = current.filter_map(|(_, id)| actual.bindings.get(id));
                bindings.filter(|binding| binding.key.name.as_str() == name)
            };
            let store = own().find(|binding| keeps(actual, binding));
            let serving = store.and_then(|binding| {
                let instance = actual.instances.get(&binding.spec.target)?.clone();
                Some((instance, binding.spec.id))
            });
            serving.ok_or_else(|| match own().next() {
                Some(_) => CallError::new(
                    Code::Data,
                    format!(
                        "nothing that the binding `{name}` of {actor} uses can tell what it keeps"
                    ),
                ),
                None => CallError::new(
                    Code::NotFound,
                    format!(
                        "no actor {actor} has a binding `{name}` in force; `trellis get bindings` \
                         shows them"
                    ),
                ),
            })
        })
    }
}

/// Whether what serves a binding can tell what it keeps.
fn keeps(actual: &ActualState, binding: &RunningBinding) -> bool {
    let mut providers = actual.providers.values();
    let provider = providers.find(|known| known.target == binding.spec.target);
    provider.is_some_and(|known| known.prepared.descriptor.data.is_some())
}

fn shown(piece: Piece) -> DataPiece {
    let Piece { key, kind, expires_ms, count, start, values } = piece;
    let kind = match kind {
        Kind::Text => DataKind::Text,
        Kind::List => DataKind::List,
        Kind::Set => DataKind::Set,
    };
    DataPiece { key, kind, expires_unix_ms: expires_ms, count, start, values }
}

fn read(piece: DataPiece) -> Piece {
    let DataPiece { key, kind, expires_unix_ms, count, start, values } = piece;
    let kind = match kind {
        DataKind::Text => Kind::Text,
        DataKind::List => Kind::List,
        DataKind::Set => Kind::Set,
    };
    Piece { key, kind, expires_ms: expires_unix_ms, count, start, values }
}
