//! Which of the names that exist somebody meant who wrote another. Here, since manifests, commands
//! and the values of providers are all written by hand.

/// Part of the letters that must be right: with a third of them wrong it still is a typo, with more
/// it is another word.
const SIMILAR_MIN: f64 = 0.66;

/// The word of `known` that `name` was most likely meant to be.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = letters(name);
    known
        .into_iter()
        .map(|word| (similarity(&name, &letters(word)), word))
        .filter(|(similarity, _)| *similarity >= SIMILAR_MIN)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, word)| word)
}

/// The name of `known` that `name` was most likely meant to be, also when it is only a part of one,
/// and of one alone: `redis` for `keyvalue-redis`.
#[must_use]
pub fn nearest_name<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<&'a str> {
    nearest(name, known.clone()).or_else(|| {
        let is_part = |known: &&str| nearest(name, known.split(['-', '_'])).is_some();
        let mut whole = known.into_iter().filter(is_part);
        whole.next().filter(|_| whole.next().is_none())
    })
}

/// The contract of `known` that `id` was most likely meant to be, also when its namespace was left
/// out: `keyvalue` for `wascc:keyvalue`.
#[must_use]
pub fn nearest_contract<'a>(
    id: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<&'a str> {
    nearest(id, known.clone()).or_else(|| {
        let bare = |known: &&str| {
            let name = known.split_once(':').map(|(_, name)| name);
            name.is_some_and(|name| nearest(id, [name]).is_some())
        };
        known.into_iter().find(bare)
    })
}

fn letters(text: &str) -> Vec<char> {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// From 0 for nothing in common to 1 for the same.
fn similarity(left: &[char], right: &[char]) -> f64 {
    let longer = left.len().max(right.len());
    if longer == 0 { 1.0 } else { 1.0 - distance(left, right) as f64 / longer as f64 }
}

/// How many letters to add, remove, replace, or exchange with the next it takes: the Damerau
/// and Levenshtein distance in its restricted form (optimal string alignment).
fn distance(left: &[char], right: &[char]) -> usize {
    let mut before = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, letter) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, other) in right.iter().enumerate() {
            let replaced = above[column] + usize::from(letter != other);
            let mut least = replaced.min(above[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && left[row - 1] == *other && *letter == right[column - 1] {
                least = least.min(before[column - 1] + 1);
            }
            current.push(least);
        }
        before = std::mem::replace(&mut above, current);
    }
    above[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_word_and_another_word_finds_none() {
        let known = ["image", "instances", "isolation", "limits", "name", "values"];
        for (written, meant) in [
            ("imgae", Some("image")),
            ("Instance", Some("instances")),
            ("limit", Some("limits")),
            ("memory", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, known), meant, "{written}");
        }
        assert_eq!(nearest("", [""]), Some(""), "the same is near");
        assert_eq!(nearest("GTE", ["PUT", "GET"]), Some("GET"), "two letters exchanged");
    }

    #[test]
    fn a_part_of_a_name_finds_it_when_no_other_has_it() {
        let known = ["http-server", "keyvalue-embedded", "keyvalue-redis", "logging"];
        for (written, meant) in [
            ("redis", Some("keyvalue-redis")),
            ("reids", Some("keyvalue-redis")),
            ("http", Some("http-server")),
            ("loging", Some("logging")),
            ("keyvalue-rediss", Some("keyvalue-redis")),
            ("keyvalue", None),
            ("", None),
        ] {
            assert_eq!(nearest_name(written, known), meant, "{written}");
        }
    }

    #[test]
    fn a_contract_is_found_without_its_namespace() {
        let known = ["wascc:http_server", "wascc:keyvalue", "trellis:clock"];
        for (written, meant) in [
            ("wascc:keyvlaue", Some("wascc:keyvalue")),
            ("keyvalue", Some("wascc:keyvalue")),
            ("KeyVal", Some("wascc:keyvalue")),
            ("http-server", Some("wascc:http_server")),
            ("acme:ledger", None),
        ] {
            assert_eq!(nearest_contract(written, known), meant, "{written}");
        }
    }

    #[test]
    fn the_distance_counts_what_people_do() {
        let count = |left: &str, right: &str| distance(&letters(left), &letters(right));
        for (left, right, least) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "acb", 1),
            ("kitten", "sitting", 3),
            ("ä", "a", 1),
        ] {
            assert_eq!(count(left, right), least, "{left} {right}");
            assert_eq!(count(right, left), least, "{right} {left}");
        }
    }
}
