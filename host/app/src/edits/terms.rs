//! How an edit is to be made, held against what it is: who gives terms believes that they hold.

use trellis_control::{Edit, EditRequest, WatchTerms};
use trellis_core::{CallError, Code};

/// What is said of how an edit is to be made has to mean something for it.
///
/// # Errors
/// [`Code::Message`] for terms that this edit has no use for.
pub(crate) fn check_terms(request: &EditRequest) -> Result<(), CallError> {
    let EditRequest { edit, force, allow_more_capabilities, watch, replay, .. } = request;
    let is_update = edit.is_update();
    let may_be_forced = is_update || edit.is_rollback() || matches!(edit, Edit::Start { .. });
    let terms = [
        (
            replay.is_some() && !matches!(edit, Edit::Actor { .. }),
            "replay",
            "another version of an actor",
        ),
        (*watch != WatchTerms::default() && !is_update, "watch", "an update"),
        (*allow_more_capabilities && !is_update, "allow_more_capabilities", "an update"),
        (*force && !may_be_forced, "force", "an update, a rollback or a start"),
    ];
    let Some((_, term, what)) = terms.into_iter().find(|(is_useless, _, _)| *is_useless) else {
        return Ok(());
    };
    let text = format!("`{term}` is for {what}, and means nothing here: leave it out");
    Err(CallError::new(Code::Message, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_that_mean_nothing_are_refused() {
        let check = |edit: &str, terms: &str| {
            let json = format!(r#"{{"edit": {edit}, {terms}}}"#);
            check_terms(&serde_json::from_str(&json).expect("an edit"))
        };
        let actor = r#"{"actor": {"name": "a", "image": "/a"}}"#;
        let provider = r#"{"provider": {"name": "a", "to": "builtin:b"}}"#;
        let back = r#"{"rollback": {"name": "a"}}"#;
        let stop = r#"{"stop": {"kind": "actor", "name": "a"}}"#;
        let start = r#"{"start": {"kind": "actor", "name": "a"}}"#;
        let scale = r#"{"scale": {"name": "a", "instances": 2}}"#;
        let bind = r#"{"bind": {"actor": "a", "capability": "b"}}"#;
        let (replay, watch) = (r#""replay": 0"#, r#""watch": {"calls": 0}"#);
        let (more, force) = (r#""allow_more_capabilities": true"#, r#""force": true"#);
        for (edit, means) in [
            (actor, &[replay, watch, more, force][..]),
            (provider, &[watch, more, force]),
            (back, &[force]),
            (start, &[force]),
            (stop, &[]),
            (scale, &[]),
            (bind, &[]),
        ] {
            for terms in [replay, watch, more, force] {
                let checked = check(edit, terms);
                assert_eq!(checked.is_ok(), means.contains(&terms), "{edit} {terms}");
                let error = checked.err().map(|error| error.code());
                assert!(error.is_none_or(|code| code == Code::Message), "{edit} {terms}");
            }
        }
    }
}
