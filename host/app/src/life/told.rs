//! Edits in the words of whoever asks for one.

use trellis_control::{ComponentKind, Edit, EditRequest};
use trellis_core::{CallError, Code};
use trellis_supervisor::Inherits;

use crate::edits::{InForce, Subject, of_data};
use crate::failure::Failure;

/// Why an edit is refused, with what to do about it: a code's own cure is about manifests.
pub(super) fn helped(error: CallError) -> Failure {
    let help = match error.code() {
        Code::NotFound => {
            "`trellis get actors` and `trellis get providers` list what can be edited, and `trellis \
             history` what can be gone back to; a file is looked for on the host's machine"
        }
        Code::Message => "`--help` of the command, and docs/live-swap.md, say what an edit may be",
        Code::Conflict => {
            "look at what changed (`trellis history`), and ask again if it is still meant"
        }
        Code::Storage => {
            "see to the host's cache folder (`--cache-dir`): files of edits are kept there"
        }
        Code::ModuleLimit => {
            "make the file smaller, or raise the limit in the manifest's own entry"
        }
        _ => return Failure::call("the edit", error),
    };
    Failure::call("the edit", error).help(help)
}

/// Why a new version may not follow.
pub(super) fn refused(subject: &Subject, error: CallError) -> Failure {
    let help = match error.code() {
        Code::Denied => "if that is meant, ask with `--allow-more-capabilities`".to_owned(),
        code => format!("if that is meant, ask with `--force`. Else: {}", code.cure()),
    };
    Failure::call(subject.to_string(), error).help(help)
}

/// Why an edit cannot be made: in the words of whoever asked, who knows of no copy.
pub(super) fn told(
    failure: &Failure,
    subject: &Subject,
    (copy, named): (Option<String>, Option<String>),
) -> Failure {
    let Failure::Manifest(report) = failure else {
        return Failure::call(subject.to_string(), CallError::new(failure.code(), failure.told()));
    };
    let of_copy = |message: &str| copy.as_ref().is_some_and(|copy| message.contains(&**copy));
    let problems = report.problems();
    let problem = problems.iter().find(|it| of_copy(&it.message)).or_else(|| problems.first());
    let Some(problem) = problem else {
        return Failure::call(subject.to_string(), CallError::new(failure.code(), failure.told()));
    };
    let own = |text: &str| match (&copy, &named) {
        (Some(copy), Some(named)) => text.replace(&**copy, named),
        _ => text.to_owned(),
    };
    let error = CallError::new(problem.code, own(&problem.message));
    let failure = Failure::call(subject.to_string(), error);
    match (&problem.help, problem.code) {
        (Some(help), _) => failure.help(own(help)),
        (None, Code::Config) if subject.kind == ComponentKind::Provider => failure.help(format!(
            "give values that the provider knows: `trellis describe {subject}` shows those that it \
             has"
        )),
        (None, _) => failure,
    }
}

/// What the maker of an edit should know.
pub(super) fn notes(
    request: &EditRequest,
    (subject, edit): (&Subject, Option<&InForce>),
    inherits: Inherits,
) -> Vec<String> {
    let replaces = request.edit.is_rollback() || request.edit.is_update();
    let data = of_data(subject, inherits, request.data).filter(|_| replaces);
    let Some(edit) = edit else { return data.into_iter().collect() };
    let keeps = &edit.version.keeps;
    let mut notes = vec![format!("a restart of the host forgets this edit; to keep it, {keeps}")];
    notes.extend(data);
    notes.extend(of_stop(&request.edit));
    notes.extend(literals(&request.edit));
    notes.extend(another_key(subject, edit));
    notes
}

/// What goes with a provider that is stopped.
fn of_stop(asked: &Edit) -> Option<String> {
    let Edit::Stop { kind: ComponentKind::Provider, name } = asked else { return None };
    Some(format!("what provider {name} keeps in memory alone is gone with it"))
}

/// That something was changed and does not run by that; and what its start `tries`, if what it
/// brings was not judged so far.
pub(super) fn stays_stopped(
    asked: &Edit,
    subject: &Subject,
    tries: Option<String>,
) -> Option<String> {
    let Subject { kind, name } = subject;
    let start = format!("`trellis start {kind} {name}`");
    match (matches!(asked, Edit::Stop { .. }), tries) {
        (true, None) => None,
        (true, Some(tries)) => {
            Some(format!("what {subject} is was not judged so far; {start} goes on with {tries}"))
        }
        (false, None) => Some(format!("{subject} is stopped; {start} has it run")),
        (false, Some(tries)) => {
            Some(format!("{subject} is stopped; {start} has it run, and tries {tries}"))
        }
    }
}

/// Values that look like references, and are none.
fn literals(asked: &Edit) -> Option<String> {
    let set = asked.values()?;
    let keys: Vec<_> = set.iter().filter(|(_, value)| value.contains("${")).collect();
    let keys: Vec<_> = keys.iter().map(|(key, _)| key.as_str()).collect();
    let told = || {
        format!(
            "`${{…}}` in the value of {} is taken as it is: only a manifest puts variables in",
            keys.join(", ")
        )
    };
    (!keys.is_empty()).then(told)
}

/// What a restart needs when an actor goes by another key than the manifest's.
fn another_key(subject: &Subject, edit: &InForce) -> Option<String> {
    let own = edit.base_part.as_ref()?.actor_key()?;
    let new = edit.version.part.get()?.actor_key()?;
    (own != new).then(|| {
        format!(
            "{subject} goes by another key ({new} instead of {own}), and what it kept stays with \
             the old one. Once it stood its watch, the host remembers the new key: from then on a \
             start with what the manifest says needs `host --force`, or `trellis rollback {} \
             --to-manifest` before",
            subject.name
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_looks_like_a_reference_is_named_without_it() {
        let edit = |json: &str| serde_json::from_str::<Edit>(json).expect("an edit");
        let told = literals(&edit(r#"{"provider": {"name": "s", "set": {"URL": "${CANARY}"}}}"#));
        let told = told.expect("it looks like one");
        assert!(told.contains("value of URL") && !told.contains("CANARY"), "{told}");
        assert_eq!(literals(&edit(r#"{"provider": {"name": "s", "set": {"URL": "$5"}}}"#)), None);
        let bind = r#"{"bind": {"actor": "a", "capability": "c", "set": {"P": "${CANARY}"}}}"#;
        assert!(literals(&edit(bind)).is_some_and(|told| told.contains("value of P")));
        assert_eq!(literals(&edit(r#"{"rollback": {"name": "s"}}"#)), None);
    }

    #[test]
    fn the_help_is_about_edits() {
        for code in [Code::NotFound, Code::Message, Code::Conflict] {
            let failure = helped(CallError::new(code, "why"));
            assert_ne!(failure.cure(), code.cure(), "{code}");
        }
    }
}
