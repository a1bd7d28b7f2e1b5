//! Why the contract refuses a request.

use trellis_core::{CallError, Code};

/// How much of a key a message repeats.
const KEY_CHARS_MAX: usize = 64;

/// What a key can hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Text,
    List,
    Set,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::List => "a list",
            Self::Set => "a set",
        }
    }
}

/// The key holds something else than the operation works on.
pub(crate) fn wrong_kind(key: &str, held: Kind, wanted: Kind) -> CallError {
    let (held, wanted) = (held.name(), wanted.name());
    CallError::new(Code::WrongType, format!("the key {} holds {held}, not {wanted}", shown(key)))
}

/// The key holds a string that is not a counter.
pub(crate) fn not_a_counter(key: &str) -> CallError {
    let sentence = format!("the key {} holds a string that is not a counter", shown(key));
    CallError::new(Code::WrongType, sentence)
}

/// A counter would leave 32 bits.
pub(crate) fn out_of_range(key: &str) -> CallError {
    let sentence = format!("the counter {} would leave the range of 32 bits", shown(key));
    CallError::new(Code::Range, sentence)
}

/// The store may not grow further.
pub(crate) fn store_full(bytes_max: u64) -> CallError {
    let sentence = format!(
        "the key-value store in memory holds the {bytes_max} bytes its MEMORY_MAX allows; remove \
         keys or raise it"
    );
    CallError::new(Code::Storage, sentence)
}

/// The file may not grow further.
pub(crate) fn file_full(bytes_max: u64) -> CallError {
    let sentence = format!(
        "the key-value file holds the {bytes_max} bytes its FILE_MAX allows; remove keys or raise it"
    );
    CallError::new(Code::Storage, sentence)
}

/// What an operation reads is long and changed each time it was read.
pub(crate) fn always_changing() -> CallError {
    let sentence = "the lists or sets of this operation are long and changed each time they were \
                    read; nothing was done: try again, or use smaller ones";
    CallError::new(Code::Busy, sentence)
}

/// The store is being closed, or is.
pub(crate) fn stopped<E>(_: E) -> CallError {
    CallError::new(Code::Stopping, "the key-value store is being closed")
}

/// The number of elements as the contract answers it.
///
/// # Errors
/// [`Code::Range`] when it does not fit.
pub(crate) fn count(elements: usize) -> Result<i32, CallError> {
    i32::try_from(elements)
        .map_err(|_| CallError::new(Code::Range, "the list or set has too many elements"))
}

fn shown(key: &str) -> String {
    match key.char_indices().nth(KEY_CHARS_MAX) {
        Some((cut, _)) => format!("{:?}…", &key[..cut]),
        None => format!("{key:?}"),
    }
}
