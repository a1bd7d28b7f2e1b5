//! Who is named in a text that may be neither YAML nor JSON.

use std::collections::BTreeSet;

use super::code::Code;
use super::items::variables;
use super::names::names;
use crate::expand::Env;
use crate::nkey::user_keys_in;
use crate::source::SourceText;

/// The keys of users that stand somewhere outside of a comment, or in a variable that does; `None`
/// when nothing is named `users`.
pub(crate) fn users_in(source: &SourceText, env: Env<'_>) -> Option<BTreeSet<String>> {
    let code = Code::of(source);
    let text = &*code.text;
    names(text).find(|name| name.word == "users")?;
    let mut keys: BTreeSet<String> = user_keys_in(text).map(str::to_owned).collect();
    let named: BTreeSet<&str> = variables(text).map(|(_, name)| name).collect();
    for value in named.into_iter().filter_map(env) {
        keys.extend(user_keys_in(&value).map(str::to_owned));
    }
    Some(keys)
}
