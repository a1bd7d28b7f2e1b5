//! A change that takes long.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Most names that are told of each kind.
const NAMED_MAX: usize = 3;

/// A change that is under way for a long time, and what it waits for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Changing {
    /// Since when, in seconds since 1970.
    pub since_unix_s: u64,
    /// The actors whose modules are still being read, compiled or started.
    pub actors: Vec<String>,
    /// The providers that have not answered yet.
    pub providers: Vec<String>,
}

/// Says what is waited for and, since a change takes over as a whole, that the rest waits too.
impl fmt::Display for Changing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waits = [
            ("actor", &self.actors, ("is compiled and started", "are compiled and started")),
            ("provider", &self.providers, ("answers", "answer")),
        ];
        let waits = waits.into_iter().filter(|(_, names, _)| !names.is_empty());
        let waits: Vec<_> = waits.map(|(kind, names, verbs)| clause(kind, names, verbs)).collect();
        if waits.is_empty() {
            return f.write_str("it is about to end");
        }
        write!(f, "it waits until {}; what ran before goes on", waits.join(" and "))
    }
}

fn clause(kind: &str, names: &[String], (one, several): (&str, &str)) -> String {
    let named: Vec<_> = names.iter().take(NAMED_MAX).map(|name| format!("`{name}`")).collect();
    let named = named.join(", ");
    match names.len() {
        1 => format!("{kind} {named} {one}"),
        count if count > NAMED_MAX => {
            format!("{kind}s {named} and {} more {several}", count - NAMED_MAX)
        }
        _ => format!("{kind}s {named} {several}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waited_for_is_named() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let told = |actors: &[&str], providers: &[&str]| {
            let (actors, providers) = (names(actors), names(providers));
            Changing { since_unix_s: 1, actors, providers }.to_string()
        };
        let on = "; what ran before goes on";
        for (text, wanted) in [
            (told(&["a"], &[]), "it waits until actor `a` is compiled and started"),
            (told(&[], &["p", "q"]), "it waits until providers `p`, `q` answer"),
            (
                told(&["a", "b", "c", "d", "e"], &["p"]),
                "it waits until actors `a`, `b`, `c` and 2 more are compiled and started and \
                 provider `p` answers",
            ),
        ] {
            assert_eq!(text, format!("{wanted}{on}"));
        }
        assert_eq!(told(&[], &[]), "it is about to end");
    }
}
