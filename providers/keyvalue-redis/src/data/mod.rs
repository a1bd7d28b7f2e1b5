//! `trellis:keyvalue_data` on Redis: pages of what a keyspace holds, out and in.
//!
//! Names come from SCAN, which may give one twice and misses none that is there all the time. A
//! page ends anywhere, so its cursor carries the names that SCAN has given and nobody has read yet.

mod cursor;
mod memory;
mod scripts;

use redis::{Cmd, cmd};
use trellis_core::wire::Blob;
use trellis_core::{CallError, Code};
use trellis_providers_sdk::data::{
    self, About, CompareDataRequest, Differing, EraseDataRequest, Erased, ExportDataRequest,
    ImportDataRequest, Kind, Page, Piece, Taken,
};

use crate::seat::Seat;
use cursor::Cursor;

/// Names that SCAN looks at in one go.
const SCAN: u32 = 512;

/// Most bytes of the names that one go is to bring: a cursor carries them.
const NAMES_BYTES: usize = 256 << 10;

/// Rounds of SCAN in one page, so that one over a server that others fill comes to its end.
const ROUNDS_MAX: usize = 64;

/// The operations; all they know is in the caller's [`Seat`].
pub(crate) struct Data;

type Answer<T> = Result<T, CallError>;

/// What one key gave: its place among those asked for, what it holds, its time, how many elements
/// it has and how many came before, where it goes on, and the elements.
type Row = (usize, String, u64, u64, u64, String, Vec<Vec<u8>>);

impl data::Provider for Data {
    type Caller = Seat;

    async fn describe_data(&self, seat: &Seat) -> Answer<About> {
        let (store, prefix) = (seat.store().await?, seat.keys.beginning().to_owned());
        let (seconds, micros): (u64, u64) = seat.ask(&cmd("TIME")).await?;
        // How many keys there are besides is for all users of the server together.
        let (now_ms, removable) = (seconds * 1_000 + micros / 1_000, !seat.keys.is_everybodys());
        Ok(About { store, prefix, now_ms, total: 0, removable })
    }

    async fn export_data(&self, seat: &Seat, request: ExportDataRequest) -> Answer<Page> {
        let ExportDataRequest { cursor, keys, names_only, bytes_max } = request;
        let mut at = match (cursor.is_empty(), keys.is_empty()) {
            (false, _) => Cursor::read(&cursor)?,
            (true, true) => Cursor::default(),
            (true, false) => Cursor::over(keys.into_iter().map(Blob::into_vec).collect()),
        };
        let mut left = u64::from(bytes_max.max(1));
        let mut pieces = Vec::new();
        for _ in 0..ROUNDS_MAX {
            if at.keys.is_empty() {
                if !at.scan_on(seat).await? {
                    break;
                }
                if at.keys.is_empty() {
                    continue;
                }
                check_names(seat, &at.keys)?;
            }
            let taken = read_some(seat, &mut at, (names_only, left), &mut pieces).await?;
            left = left.saturating_sub(taken);
            if left == 0 {
                break;
            }
        }
        Ok(Page { pieces, next: at.write() })
    }

    async fn import_data(&self, seat: &Seat, request: ImportDataRequest) -> Answer<Taken> {
        let pieces = checked(seat, &request.pieces)?;
        let keys = pieces.iter().filter(|piece| piece.begins()).count() as u64;
        seat.over::<()>(&scripts::WRITE, pieces).await?;
        if pieces.is_empty() {
            seat.keeps_what_is_written().await?;
        }
        Ok(Taken { keys })
    }

    async fn compare_data(&self, seat: &Seat, request: CompareDataRequest) -> Answer<Differing> {
        let pieces = checked(seat, &request.pieces)?;
        let differing: Vec<usize> = seat.over(&scripts::COMPARE, pieces).await?;
        let key = |at: usize| Some(pieces.get(at.checked_sub(1)?)?.key.clone());
        Ok(Differing { keys: differing.into_iter().filter_map(key).collect() })
    }

    async fn erase_data(&self, seat: &Seat, request: EraseDataRequest) -> Answer<Erased> {
        if seat.keys.is_everybodys() {
            let text = "the keys of this binding are those of all users of that Redis, because \
                        of SHARED without a PREFIX; they are not removed: give it a PREFIX, or \
                        empty the server yourself";
            return Err(CallError::new(Code::Config, text));
        }
        let mut at = match request.cursor.is_empty() {
            true => Cursor::default(),
            false => Cursor::read(&request.cursor)?,
        };
        for _ in 0..ROUNDS_MAX {
            if !at.scan_on(seat).await? {
                break;
            }
            let keys = std::mem::take(&mut at.keys);
            if !keys.is_empty() {
                let mut unlink = cmd("UNLINK");
                for key in &keys {
                    unlink.arg(seat.key(key));
                }
                seat.ask::<()>(&unlink).await?;
            }
        }
        Ok(Erased { next: at.write() })
    }
}

impl Cursor {
    /// Goes on to the next names; false when there are none left.
    async fn scan_on(&mut self, seat: &Seat) -> Answer<bool> {
        let Some(from) = self.scan.take() else { return Ok(false) };
        let (mut next, mut names): Names = seat.ask(&scan(seat, from, SCAN)).await?;
        if names.iter().map(Vec::len).sum::<usize>() > NAMES_BYTES {
            // Fewer from the same place on, as few as there can be.
            (next, names) = seat.ask(&scan(seat, from, 1)).await?;
        }
        self.scan = Some(next).filter(|next| *next != 0);
        self.keys = names.iter().filter_map(|name| seat.keys.key(name)).collect();
        Ok(true)
    }
}

/// From where SCAN goes on, and what it gave.
type Names = (u64, Vec<Vec<u8>>);

fn scan(seat: &Seat, from: u64, count: u32) -> Cmd {
    let mut scan = cmd("SCAN");
    scan.arg(from).arg("MATCH").arg(seat.keys.pattern()).arg("COUNT").arg(count);
    scan
}

/// Refuses names of other clients that are too long for any answer.
fn check_names(seat: &Seat, keys: &[Vec<u8>]) -> Answer<()> {
    let most = seat.bounds.answer_bytes_max;
    let Some(bytes) = keys.iter().map(|key| key.len() as u64).find(|bytes| *bytes > most) else {
        return Ok(());
    };
    let text = format!(
        "the name of a key has {bytes} bytes, more than ANSWER_MAX ({most} bytes), so the keys \
         cannot all be told of; rename it or take it away with the tools of Redis, or raise that"
    );
    Err(CallError::new(Code::TooLarge, text))
}

/// Reads of the keys that wait until the page is full; gives how many bytes that were.
async fn read_some(
    seat: &Seat,
    at: &mut Cursor,
    (names_only, left): (bool, u64),
    pieces: &mut Vec<Piece>,
) -> Answer<u64> {
    let (left, names_only) = (left.to_string(), if names_only { "1" } else { "0" });
    let arguments = [&*at.within, &at.before.to_string(), &left, names_only];
    let read: (usize, u64, Vec<Row>) = seat.run(&scripts::READ, &at.keys, &arguments).await?;
    let (done, bytes, rows) = read;
    (at.within, at.before) = (String::new(), 0);
    for (place, kind, expires_ms, count, start, next, values) in rows {
        let key = place.checked_sub(1).and_then(|place| at.keys.get(place)).cloned();
        let (Some(key), Some(kind)) = (key, kind_of(&kind)) else { return Err(odd()) };
        if !next.is_empty() {
            (at.within, at.before) = (next, start + values.len() as u64);
        }
        let (key, values) = (key.into(), values.into_iter().map(Blob).collect());
        pieces.push(Piece { key, kind, expires_ms, count, start, values });
    }
    if done > at.keys.len() {
        return Err(odd());
    }
    at.keys.drain(..done);
    // A page that holds only names is full as well, and each key costs at least that.
    Ok(bytes.max(1))
}

fn kind_of(word: &str) -> Option<Kind> {
    match word {
        "string" => Some(Kind::Text),
        "list" => Some(Kind::List),
        "set" => Some(Kind::Set),
        "other" => Some(Kind::Other),
        _ => None,
    }
}

const fn word_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "string",
        Kind::List => "list",
        Kind::Set => "set",
        Kind::Other => "other",
    }
}

fn odd() -> CallError {
    CallError::new(Code::Provider, "Redis answers a script of ours with something else")
}

/// Pieces that make sense and are within the bounds of the binding.
fn checked<'a>(seat: &Seat, pieces: &'a [Piece]) -> Answer<&'a [Piece]> {
    for piece in pieces {
        piece.check()?;
        if piece.count > seat.bounds.elements_max as u64 {
            return Err(seat.bounds.too_many_elements());
        }
    }
    Ok(pieces)
}

impl Seat {
    /// Runs a script over pieces: their keys, and of each what it holds.
    async fn over<T: redis::FromRedisValue>(
        &self,
        script: &redis::Script,
        pieces: &[Piece],
    ) -> Answer<T> {
        let keys: Vec<_> = pieces.iter().map(|piece| piece.key.as_slice()).collect();
        let mut numbers = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let own = [piece.expires_ms, piece.count, piece.start, piece.values.len() as u64];
            numbers.push(own.map(|number| number.to_string()));
        }
        let mut arguments: Vec<&[u8]> = Vec::new();
        for (piece, numbers) in pieces.iter().zip(&numbers) {
            arguments.push(word_of(piece.kind).as_bytes());
            arguments.extend(numbers.iter().map(String::as_bytes));
            arguments.extend(piece.values.iter().map(|value| value.as_slice()));
        }
        self.run(script, &keys, &arguments).await
    }

    /// Whose data these are, whatever the server is called, and which kind of names the keys have.
    /// A replica has the data of its master: what is taken away there is gone from both.
    async fn store(&self) -> Answer<String> {
        let about: String = self.ask(cmd("INFO").arg("replication")).await?;
        let id = about.lines().find_map(|line| line.trim().strip_prefix("master_replid:"));
        let Some(id) = id else {
            let text = "Redis does not say whose data it has (INFO replication, master_replid)";
            return Err(CallError::new(Code::Provider, text));
        };
        Ok(format!("redis {id} {} {}", self.server.database(), self.keys.kind()))
    }
}
