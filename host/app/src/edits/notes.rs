//! What the maker of an edit should know, and what becomes of the data.

use trellis_control::{ComponentKind, DataTerms, EditRequest};
use trellis_core::{CallError, Code};

use super::overlay::InForce;
use super::subject::Subject;

/// Only providers keep data that can go along.
pub(crate) fn check_data(request: &EditRequest, subject: &Subject) -> Result<(), CallError> {
    if request.data.is_none() || subject.kind == ComponentKind::Provider {
        return Ok(());
    }
    let text = format!("{subject} keeps no data; `data` is for providers");
    Err(CallError::new(Code::Message, text))
}

/// What the maker of an edit should know.
pub(crate) fn notes(
    subject: &Subject,
    edit: Option<&InForce>,
    data: Option<DataTerms>,
) -> Vec<String> {
    let note = edit.map(|edit| {
        let keeps = &edit.version.keeps;
        format!(
            "a restart of the host forgets this edit; to keep it, write {keeps} in the manifest's \
             entry of {subject}"
        )
    });
    let moves = edit.map_or(subject.kind == ComponentKind::Provider, |edit| {
        edit.version.replacement.is_another_than(&edit.base)
    });
    let data = moves.then(|| match data {
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
    });
    note.into_iter().chain(data).collect()
}
