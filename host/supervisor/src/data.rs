//! What a binding's actor has in a store, for the owner of the host: page by page, and in.

mod cursor;

use std::collections::BTreeSet;

use tokio::time::timeout;
use trellis_control::{
    ComponentKind, DataBytes, DataImport, DataKind, DataPage, DataPiece, DataQuery, DataTaken,
};
use trellis_core::wire::Blob;
use trellis_core::{BindingId, CallError, Code, nearest_name};
use trellis_providers_sdk::data::{
    ExportData, ExportDataRequest, ImportData, ImportDataRequest, Kind, Piece,
};

use crate::actual::{ActualState, RunningBinding};
use crate::border::Instance;
use crate::desired::Desired;
use crate::moving::pages::{PAGE_BYTES, Pages, ask};
use crate::prepare::{Prepared, Stopped};
use crate::supervisor::Supervisor;

/// Most stores that an error names.
const NAMED_MAX: usize = 8;

/// Most characters of a key that an error shows.
const KEY_SHOWN_MAX: usize = 64;

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
        let cursor = cursor::read(from, &instance)?;
        let keys = keys.into_iter().map(blob).collect();
        let request = ExportDataRequest { cursor, keys, names_only, bytes_max: PAGE_BYTES };
        let page = match ask::<ExportData>(&instance, id, &request).await {
            Err(error) if error.code() == Code::TooLarge => {
                return Err(naming_large((&instance, id), request, error).await);
            }
            page => page?,
        };
        let pieces = page.pieces.into_iter().map(shown).collect();
        Ok(DataPage { pieces, next: cursor::write(page.next, &instance)? })
    }

    /// Puts keys there: all of these pieces, or none of them if the provider keeps to its contract.
    ///
    /// # Errors
    /// As [`export_data`](Self::export_data); [`Code::Data`] for a key that is there, unless it is
    /// to be replaced; [`Code::Conflict`] for the rest of a key that did not begin here.
    pub async fn import_data(
        &self,
        binding: (&str, &str),
        import: DataImport,
    ) -> Result<DataTaken, CallError> {
        let _still = self.still().await?;
        let (instance, id) = self.store_of(binding)?;
        let DataImport { pieces, from, replace } = import;
        self.shared.rest.check((id, from.as_deref()), &pieces)?;
        let next = self.shared.rest.ticket(id, &pieces);
        let pieces: Vec<_> = pieces.into_iter().map(read).collect();
        pieces.iter().try_for_each(Piece::check)?;
        if !replace {
            refuse_held((&instance, id), &pieces).await?;
        }
        let taken = ask::<ImportData>(&instance, id, &ImportDataRequest { pieces }).await?;
        Ok(DataTaken { keys: taken.keys, next })
    }

    /// As long as this is held, nothing is moved to another store: what is put into one that is
    /// being left would be lost.
    async fn still(&self) -> Result<tokio::sync::RwLockReadGuard<'_, ()>, CallError> {
        timeout(MOVE_PATIENCE, self.shared.moving.read()).await.map_err(|_| {
            CallError::new(Code::Busy, "data are being moved to another store; ask again")
        })
    }

    fn store_of(&self, wanted: (&str, &str)) -> Result<(Instance, BindingId), CallError> {
        let (actor, name) = wanted;
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
            let stopped = || {
                let desired = self.shared.wanted.load_full()?;
                stopped(wanted, &desired)
            };
            let missing = || match own().next() {
                Some(_) => CallError::new(
                    Code::Data,
                    format!(
                        "nothing that the binding `{name}` of {actor} uses can tell what it keeps"
                    ),
                ),
                None => no_such_store(wanted, actual),
            };
            serving.ok_or_else(|| stopped().unwrap_or_else(missing))
        })
    }
}

/// Refuses pieces of which one begins a key that is there already.
async fn refuse_held(
    (instance, binding): (&Instance, BindingId),
    pieces: &[Piece],
) -> Result<(), CallError> {
    let begun = pieces.iter().filter(|piece| piece.begins());
    let keys: Vec<_> = begun.map(|piece| piece.key.clone()).collect();
    if keys.is_empty() {
        return Ok(());
    }
    let held = Pages::of_these(instance, binding, keys).next().await?;
    let Some(piece) = held.as_ref().and_then(|held| held.first()) else { return Ok(()) };
    let key = named(&piece.key);
    let text = format!(
        "the key {key} is there already, so nothing of this request was put there; to put other \
         values in the place of such keys, ask to `replace` them"
    );
    Err(CallError::new(Code::Data, text))
}

/// Why a binding is not in force that is wanted: somebody stopped what it needs.
fn stopped((actor, name): (&str, &str), wanted: &Desired) -> Option<CallError> {
    let Prepared { stopped, bindings, .. } = &wanted.prepared;
    let why = if stopped.has_actor(actor) {
        Stopped::why(ComponentKind::Actor, actor)
    } else {
        let mut own = bindings.iter().filter(|it| *it.actor == *actor && it.name.as_str() == name);
        let provider = &own.find(|it| stopped.has_provider(&it.provider))?.provider;
        Stopped::why(ComponentKind::Provider, provider)
    };
    Some(CallError::new(Code::NotFound, format!("the store cannot be looked into: {why}")))
}

/// Which key it is that is too large for a page: whoever may look into the store may know that.
async fn naming_large(
    (instance, binding): (&Instance, BindingId),
    request: ExportDataRequest,
    error: CallError,
) -> CallError {
    let names = ExportDataRequest { names_only: true, ..request.clone() };
    let Ok(page) = ask::<ExportData>(instance, binding, &names).await else { return error };
    for piece in page.pieces {
        let keys = vec![piece.key.clone()];
        let alone = ExportDataRequest { cursor: String::new(), keys, ..request.clone() };
        let asked = ask::<ExportData>(instance, binding, &alone).await;
        if asked.is_err_and(|error| error.code() == Code::TooLarge) {
            let text = format!(
                "the key {} cannot be told of: {}; the keys before it can, and `trellis kv list` \
                 shows all names: make its value shorter, or take it away",
                named(&piece.key),
                error.message()
            );
            return CallError::new(error.code(), text);
        }
    }
    error
}

/// A key in an error: as much of it as is read at a glance, and nothing that is not there.
fn named(key: &[u8]) -> String {
    let mut text = String::new();
    for chunk in key[..key.len().min(4 * KEY_SHOWN_MAX)].utf8_chunks() {
        text.extend(chunk.valid().escape_debug());
        chunk.invalid().iter().for_each(|byte| text.extend(byte.escape_ascii().map(char::from)));
    }
    match text.char_indices().nth(KEY_SHOWN_MAX) {
        Some((end, _)) => format!("\"{}…\" ({} bytes)", &text[..end], key.len()),
        None => format!("\"{text}\""),
    }
}

/// Says which stores there are instead.
fn no_such_store((actor, name): (&str, &str), actual: &ActualState) -> CallError {
    let bindings = actual.current.values().filter_map(|id| actual.bindings.get(id));
    let stores = bindings.filter(|binding| keeps(actual, binding)).map(|binding| {
        let (actor, name) = (&binding.key.actor, binding.key.name.as_str());
        if name == "default" { actor.to_string() } else { format!("{actor}/{name}") }
    });
    let stores: BTreeSet<String> = stores.collect();
    let wanted = if name == "default" { actor.to_owned() } else { format!("{actor}/{name}") };
    let near = nearest_name(&wanted, stores.iter().map(String::as_str));
    let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    let named: Vec<_> = stores.iter().take(NAMED_MAX).map(String::as_str).collect();
    let more = if stores.len() > named.len() { ", and more" } else { "" };
    let known = match named.as_slice() {
        [] => "no actor here is bound to a store that can tell what it keeps".to_owned(),
        _ => format!("bound to stores are: {}{more}", named.join(", ")),
    };
    let text = format!(
        "no actor {actor} has a binding `{name}` in force{near} ({known}); `trellis get bindings` \
         shows all of them"
    );
    CallError::new(Code::NotFound, text)
}

/// Whether what serves a binding can tell what it keeps.
fn keeps(actual: &ActualState, binding: &RunningBinding) -> bool {
    let mut providers = actual.providers.values();
    let provider = providers.find(|known| known.target == binding.spec.target);
    provider.is_some_and(|known| known.prepared.descriptor.data.is_some())
}

fn blob(bytes: DataBytes) -> Blob {
    bytes.0.into()
}

fn bytes(blob: Blob) -> DataBytes {
    DataBytes(blob.into_vec())
}

fn shown(piece: Piece) -> DataPiece {
    let Piece { key, kind, expires_ms, count, start, values } = piece;
    let kind = match kind {
        Kind::Text => DataKind::Text,
        Kind::List => DataKind::List,
        Kind::Set => DataKind::Set,
        Kind::Other => DataKind::Other,
    };
    let (key, values) = (bytes(key), values.into_iter().map(bytes).collect());
    DataPiece { key, kind, expires_unix_ms: expires_ms, count, start, values }
}

fn read(piece: DataPiece) -> Piece {
    let DataPiece { key, kind, expires_unix_ms, count, start, values } = piece;
    let kind = match kind {
        DataKind::Text => Kind::Text,
        DataKind::List => Kind::List,
        DataKind::Set => Kind::Set,
        DataKind::Other => Kind::Other,
    };
    let (key, values) = (blob(key), values.into_iter().map(blob).collect());
    Piece { key, kind, expires_ms: expires_unix_ms, count, start, values }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_an_error_is_the_key() {
        assert_eq!(named("a \u{e9}".as_bytes()), "\"a \u{e9}\"");
        assert_eq!(named(b"a\"\xff\x1b"), r#""a\"\xff\u{1b}""#);
        assert_eq!(named(&[b'x'; 64]), format!("\"{}\"", "x".repeat(64)));
        assert_eq!(named(&[b'x'; 700]), format!("\"{}…\" (700 bytes)", "x".repeat(64)));
        let long = "\u{1f980}".repeat(70);
        assert_eq!(named(long.as_bytes()).chars().filter(|it| *it == '\u{1f980}').count(), 64);
    }
}
