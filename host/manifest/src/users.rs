//! Who may use the admin API by a text that is wrong, as far as that can be read.
//!
//! A user who was taken out has to be out at once, whatever else is wrong with the text. So this
//! reader only tells who is still in it, and guesses in one direction only: towards taking away.

use trellis_core::nearest;

use crate::expand::Env;
use crate::nkey::user_keys_in;
use crate::parse::parse;
use crate::report::Problems;
use crate::scan::users_in;
use crate::source::{SourceText, Spanned};
use crate::spec::AdminScope;
use crate::tree::{Node, Value};

/// A user that a text still has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReadableUser {
    /// The key, by its form.
    pub key: String,
    /// The most that it may do; `None` when that cannot be read, which takes nothing away.
    pub scope: Option<AdminScope>,
}

/// The users under `host: {admin: {users}}`, whatever else is wrong with the manifest; `env`
/// answers what `${VAR}` stands for. `None` when the text has no place for them: it may be only the
/// beginning of its file, and takes nobody out.
///
/// In a text that cannot be understood at all, each user is in it whose key stands somewhere
/// outside of a comment.
#[must_use]
pub fn readable_users(
    source: &SourceText,
    env: &dyn Fn(&str) -> Option<String>,
) -> Option<Vec<ReadableUser>> {
    let root = parse(source, env, &mut Problems::default());
    match root {
        Some(root) => of_tree(&root),
        None => of_text(source, env),
    }
}

fn of_text(source: &SourceText, env: Env<'_>) -> Option<Vec<ReadableUser>> {
    let keys = users_in(source, env)?;
    Some(keys.into_iter().map(|key| ReadableUser { key, scope: None }).collect())
}

fn of_tree(root: &Node) -> Option<Vec<ReadableUser>> {
    let admin = value(value(root, "host")?, "admin")?;
    let Some(users) = value(admin, "users") else { return Some(Vec::new()) };
    let Value::Sequence(items) = &users.value else {
        return Some(user(users).into_iter().collect());
    };
    Some(items.iter().filter_map(|item| user(item)).collect())
}

/// What stands under a key, or under what was probably meant to be it.
fn value<'n>(node: &'n Node, wanted: &str) -> Option<&'n Node> {
    let Value::Mapping(entries) = &node.value else { return None };
    let found = |is_it: &dyn Fn(&Spanned<String>) -> bool| {
        entries.iter().find(|(key, _)| is_it(key)).map(|(_, value)| &**value)
    };
    found(&|key| key.as_str() == wanted)
        .or_else(|| found(&|key| nearest(key, [wanted]) == Some(wanted)))
}

fn user(item: &Node) -> Option<ReadableUser> {
    let key = text(value(item, "key").unwrap_or(item))?;
    let key = user_keys_in(key).next()?.to_owned();
    let scope = value(item, "scope").map(|scope| match text(scope) {
        Some("admin") => AdminScope::Admin,
        Some("operate") => AdminScope::Operate,
        // What was meant is not known: the least.
        _ => AdminScope::Read,
    });
    Some(ReadableUser { key, scope })
}

fn text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Scalar { text, .. } => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Format;

    const ADA: &str = "UBZ3XIWSOZRCVVNWRUNRNSW5CVBL4HLEJVPIWFQ3K6JVTRLSNGVE4MXN";
    const BOB: &str = "UDHCTGOCNV3AYUHCULPRVZN4SDLVLVIRGPQTEKVRT4ZZBOEM5QMFDXJM";

    fn users(name: &str, text: &str) -> Option<Vec<(&'static str, Option<AdminScope>)>> {
        let text = text.replace("ADA", ADA).replace("BOB", BOB);
        let source = SourceText::new(name, text.as_str(), Format::of_path(name.as_ref()));
        let env = |name: &str| (name == "WHO").then(|| BOB.to_owned());
        let users = readable_users(&source, &env)?;
        let named = |it: ReadableUser| (if it.key == ADA { "ADA" } else { "BOB" }, it.scope);
        Some(users.into_iter().map(named).collect())
    }

    #[test]
    fn who_is_still_in_a_wrong_text_is_read() {
        let operate = Some(AdminScope::Operate);
        let both = Some(vec![("ADA", operate), ("BOB", Some(AdminScope::Admin))]);
        for (text, found) in [
            (
                "host: {admin: {users: [{key: ADA, scope: operate}, {key: BOB, scope: admin}]}}\n",
                both.clone(),
            ),
            (
                "host: {admin: {users: [{key: ADA, scope: operate}]}}\n",
                Some(vec![("ADA", operate)]),
            ),
            (
                "host: {admin: {users: [{key: '${WHO}', scope: odd}]}}\n",
                Some(vec![("BOB", Some(AdminScope::Read))]),
            ),
            ("host: {admin: {usrs: [{key: ADA}]}}\n", Some(vec![("ADA", None)])),
            ("host: {admin: {users: [{key: '${UNSET}', scope: read}]}}\n", Some(vec![])),
            ("host: {admin: {users: []}}\n", Some(vec![])),
            ("host: {admin: '127.0.0.1:1'}\n", Some(vec![])),
            ("host: {}\n", None),
            ("", None),
        ] {
            assert_eq!(users("a.yaml", &format!("actrs: []\n{text}")), found, "{text}");
        }
    }

    #[test]
    fn in_a_text_that_is_no_yaml_who_is_named_is_in() {
        let text = "actors: [\nhost:\n  admin:\n    users:\n    - {key: ADA, scope: read}\n";
        let more = "    # - {key: BOB, scope: admin}\n";
        assert_eq!(users("a.yaml", &format!("{text}{more}")), Some(vec![("ADA", None)]));
        let variable = "    - {key: '${WHO}', scope: admin}\n";
        let both = Some(vec![("ADA", None), ("BOB", None)]);
        assert_eq!(users("a.yaml", &format!("{text}{variable}")), both);
        assert_eq!(users("a.yaml", "actors: ["), None, "it may go on");
        assert_eq!(users("a.json", "{\"host\": {\"admin\": {\"users\": [}"), Some(vec![]));
    }
}
