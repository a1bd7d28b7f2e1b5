//! From where a page goes on, and in which store: one that took its place knows nothing of it.

use trellis_core::{CallError, Code};
use trellis_limits::fixed::ADMIN_BODY;
use trellis_providers_sdk::data::wrong_cursor;

use crate::border::Instance;

/// What a request has beside its cursor, and keys of its own may need.
const REST_BYTES: u64 = 1 << 20;

/// The provider's own cursor.
///
/// # Errors
/// [`Code::Message`] for one that no page gave, and [`Code::Conflict`] when another store is there
/// by now.
pub(super) fn read(from: Option<String>, instance: &Instance) -> Result<String, CallError> {
    own(from, instance.life().id())
}

/// What to ask for with the next page; `None` at the end.
///
/// # Errors
/// [`Code::TooLarge`] when nobody could ask for it.
pub(super) fn write(next: String, instance: &Instance) -> Result<Option<String>, CallError> {
    told(next, instance.life().id())
}

fn own(from: Option<String>, id: u64) -> Result<String, CallError> {
    let Some(from) = from else { return Ok(String::new()) };
    let (whose, own) = from.split_once('.').ok_or_else(wrong_cursor)?;
    if whose.parse::<u64>().map_err(|_| wrong_cursor())? != id {
        let text = "another store serves this binding since the pages began: its provider was \
                    replaced, with its data or without; begin again without a cursor";
        return Err(CallError::new(Code::Conflict, text));
    }
    Ok(own.to_owned())
}

fn told(next: String, id: u64) -> Result<Option<String>, CallError> {
    if next.is_empty() {
        return Ok(None);
    }
    // As JSON has it at worst: it is hex, or the name of a key.
    let bytes = next.len() as u64 + next.chars().filter(|it| *it < ' ').count() as u64 * 5;
    let bytes = bytes + next.chars().filter(|it| matches!(it, '"' | '\\')).count() as u64;
    if bytes + REST_BYTES > ADMIN_BODY.default {
        let text = format!(
            "the pages end here: the names of the next keys are so long that no request could go \
             on with them ({}); rename them, or take them away, with the tools of the store",
            ADMIN_BODY.name
        );
        return Err(CallError::new(Code::TooLarge, text));
    }
    Ok(Some(format!("{id}.{next}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_in_the_store_that_gave_it_alone() {
        assert_eq!(own(None, 7), Ok(String::new()));
        assert_eq!(told(String::new(), 7), Ok(None));
        let next = told("0 5 a.b".to_owned(), 7).expect("it is short");
        assert_eq!(own(next.clone(), 7), Ok("0 5 a.b".to_owned()));
        assert_eq!(own(next, 8).expect_err("it is another").code(), Code::Conflict);
        for text in ["", "x", "x.y", ".y", "-1.y"] {
            let refused = own(Some(text.to_owned()), 7).expect_err("no page gave it");
            assert_eq!(refused.code(), Code::Message, "{text}");
        }
    }

    #[test]
    fn one_that_no_request_could_bring_back_is_refused() {
        let most = usize::try_from(ADMIN_BODY.default - REST_BYTES).expect("it is small");
        assert!(told("a".repeat(most), 7).is_ok());
        for next in ["a".repeat(most + 1), "\0".repeat(most / 6 + 1), "\"".repeat(most / 2 + 1)] {
            let refused = told(next, 7).expect_err("it is too long");
            assert_eq!(refused.code(), Code::TooLarge);
            assert!(refused.message().contains(ADMIN_BODY.name), "{refused}");
        }
    }
}
