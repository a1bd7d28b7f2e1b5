//! What to do when an actor answers with an error: nearly always it is how it was called.

use bytes::Bytes;
use trellis_core::{CallError, Code};

use super::desk::Record;

/// What the caller can do about how an operation ended, if it can do anything.
pub(super) fn of(
    result: &Result<Bytes, CallError>,
    operation: &str,
    record: &Record,
) -> Option<String> {
    let error = result.as_ref().err().filter(|error| error.code() == Code::Guest)?;
    if let Some(asked) = &record.unanswered {
        return Some(format!(
            "The actor asked for {asked}, and no provider runs here: you answer for them. \
             `--replies FILE` takes a JSON array with a reply for each host call, in order, such \
             as [{{\"replyJson\": {{\"value\": 1}}}}]; `--trace` shows the calls."
        ));
    }
    // The guest's own decoder says so, and every SDK's begins with the code.
    if !error.message().starts_with(Code::Message.as_str()) {
        return None;
    }
    let or_a_reply = match record.host_calls.as_slice() {
        [] => "",
        _ => ", or a reply is not what its host call returns",
    };
    Some(format!(
        "The payload is not the message that {operation} takes{or_a_reply}. docs/contracts.md \
         shows every message with an example; a field may be left out only where it says so."
    ))
}
