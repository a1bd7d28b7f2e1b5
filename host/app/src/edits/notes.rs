//! What becomes of the data of a provider that is replaced, in words.

use trellis_control::{ComponentKind, DataTerms, EditRequest};
use trellis_core::{CallError, Code};

use super::overlay::InForce;
use super::subject::Subject;

/// Only providers keep data that can go along, and only to one that takes their place.
pub(crate) fn check_data(request: &EditRequest, subject: &Subject) -> Result<(), CallError> {
    let replaces = request.edit.is_rollback() || request.edit.is_update();
    if request.data.is_none() || subject.kind == ComponentKind::Provider && replaces {
        return Ok(());
    }
    if !replaces {
        let text = "`data` is for an edit that puts another provider in the place of one";
        return Err(CallError::new(Code::Message, text));
    }
    let text = format!("{subject} keeps no data; `data` is for providers");
    Err(CallError::new(Code::Message, text))
}

/// What becomes of the data, where another one takes the place of who keeps them.
pub(crate) fn of_data(
    subject: &Subject,
    edit: Option<&InForce>,
    data: Option<DataTerms>,
) -> Option<String> {
    let moves = edit.map_or(subject.kind == ComponentKind::Provider, |edit| {
        edit.version.replacement.is_another_than(&edit.base)
    });
    moves.then(|| match data {
        None => format!(
            "what {subject} keeps stays where it is, and is gone if that is memory: the data do \
             not move to the one that follows; `--data copy` copies them"
        ),
        Some(_) => format!(
            "what {subject} keeps is copied, and stays in the store before as it is now, unless \
             that is memory: what is written from now on is there only after `trellis rollback {} \
             --data replace`",
            subject.name
        ),
    })
}
