//! What an edit leaves behind and what a dry run leaves open, in words.

use trellis_control::{ComponentKind, DataTerms, Edit, EditRequest};
use trellis_core::{CallError, Code};
use trellis_supervisor::Inherits;

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

/// What becomes of the data of who keeps them, where another one takes its place, as far as it can
/// be told before.
pub(crate) fn of_data(
    subject: &Subject,
    inherits: Inherits,
    data: Option<DataTerms>,
) -> Option<String> {
    match (data, inherits) {
        (Some(_), _) => Some(format!(
            "what {subject} keeps is copied, and stays in the store before as it is now, unless \
             that is memory: what is written from now on is there only after `trellis rollback {} \
             --data replace`",
            subject.name
        )),
        (None, Inherits::All) => None,
        (None, Inherits::Other) => Some(format!(
            "what {subject} keeps stays where it is, and is gone if that is memory: the data do \
             not move to the one that follows; `--data copy` copies them"
        )),
        (None, Inherits::Nothing) => Some(format!(
            "{subject} begins empty, since it is to keep in memory what it has: the data do not \
             move to the one that follows, and are gone if they are in memory too; `--data copy` \
             copies them, and `--data replace` where it holds some still"
        )),
    }
}

/// What a dry run does not try, and whoever makes the edit finds out: `replays` calls would be
/// answered first.
pub(crate) fn untried(request: &EditRequest, tries: (usize, bool)) -> String {
    format!("a dry run does not try {}", untried_so_far(request, tries))
}

/// What only shows once it runs.
pub(crate) fn untried_so_far(
    request: &EditRequest,
    (replays, is_watched): (usize, bool),
) -> String {
    let mut untried = vec!["whether it starts and is well".to_owned()];
    if replays > 0 {
        let calls = if replays == 1 { "call that is" } else { "calls that are" };
        untried.push(format!("whether it answers the latest {replays} {calls} kept"));
    }
    if request.data.is_some() {
        let what = "whether what is kept can be copied, and whether the other store is empty";
        untried.push(what.to_owned());
    }
    if matches!(request.edit, Edit::Bind { .. }) {
        untried.push("whether it goes on with the keys that it has".to_owned());
    }
    if is_watched {
        untried.push("how its calls go while it is watched".to_owned());
    }
    untried.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_empty_is_told_with_the_cure() {
        let store = Subject::provider("store");
        let told = of_data(&store, Inherits::Nothing, None).expect("it is to be known");
        for said in ["provider store begins empty", "`--data copy`", "`--data replace`"] {
            assert!(told.contains(said), "{said}: {told}");
        }
        assert_eq!(of_data(&store, Inherits::All, None), None);
        let copied = of_data(&store, Inherits::Nothing, Some(DataTerms::Copy));
        assert!(copied.is_some_and(|told| told.contains("is copied")));
    }

    #[test]
    fn a_dry_run_says_what_it_does_not_try() {
        let request = |json: &str| serde_json::from_str::<EditRequest>(json).expect("an edit");
        let plain = request(r#"{"edit": {"rollback": {"name": "a"}}}"#);
        let told = untried(&plain, (0, false));
        assert_eq!(told, "a dry run does not try whether it starts and is well");
        let told = untried(&plain, (7, true));
        assert!(told.contains("latest 7 calls") && told.contains("watched"), "{told}");
        let data = request(r#"{"edit": {"rollback": {"name": "a"}}, "data": "copy"}"#);
        assert!(untried(&data, (0, false)).contains("can be copied"));
        let bind = request(r#"{"edit": {"bind": {"actor": "a", "capability": "c"}}}"#);
        assert!(untried(&bind, (0, false)).contains("the keys that it has"));
    }
}
