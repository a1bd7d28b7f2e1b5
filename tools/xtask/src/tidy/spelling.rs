//! American spelling, in every text: one word is spelled one way, so that a search finds it.
//!
//! The other spellings are made by rule and not written out, so that this file passes too.

use super::text::is_ours;
use crate::report::Problem;

/// What stands before `-or` here and before `-our` elsewhere.
const OR: &[&str] = &[
    "arm", "behavi", "cand", "clam", "col", "endeav", "fav", "ferv", "flav", "harb", "hon", "hum",
    "lab", "neighb", "od", "parl", "ranc", "rig", "rum", "sav", "tum", "val", "vap", "vig",
];
/// What stands before `-ize` here and before `-ise` elsewhere.
const IZE: &[&str] = &[
    "apolog",
    "author",
    "canonical",
    "capital",
    "categor",
    "central",
    "character",
    "container",
    "critic",
    "custom",
    "digit",
    "equal",
    "fictional",
    "final",
    "formal",
    "general",
    "global",
    "harmon",
    "idol",
    "initial",
    "internal",
    "item",
    "legal",
    "linear",
    "local",
    "material",
    "maxim",
    "memor",
    "minim",
    "modern",
    "neutral",
    "normal",
    "optim",
    "organ",
    "parallel",
    "parameter",
    "penal",
    "pressur",
    "priorit",
    "random",
    "real",
    "recogn",
    "sanit",
    "scrutin",
    "serial",
    "special",
    "stabil",
    "standard",
    "summar",
    "symbol",
    "synchron",
    "token",
    "util",
    "vector",
    "virtual",
    "visual",
];
/// How a verb in `-ize` goes on.
const IZE_ENDINGS: &[&str] = &["e", "ab", "at", "ing"];
/// What keeps its single `l` before `-ed` and `-ing` here and doubles it elsewhere. `cancelled` may
/// stay: it is what async Rust calls it, and the value of a metric's label.
const SINGLE_L: &[&str] = &[
    "channe", "dia", "fue", "jewe", "labe", "leve", "marsha", "mode", "quarre", "signa", "tota",
    "tunne", "trave",
];
/// Pairs without a rule: the other spelling in two halves, and ours.
const OTHERS: &[((&str, &str), &str)] = &[
    (("acknowledge", "ment"), "acknowledgment"),
    (("among", "st"), "among"),
    (("anal", "yse"), "analyze"),
    (("anal", "ysing"), "analyzing"),
    (("arte", "fact"), "artifact"),
    (("cata", "lyse"), "catalyze"),
    (("cen", "tre"), "center"),
    (("defen", "ce"), "defense"),
    (("fib", "re"), "fiber"),
    (("gr", "ey"), "gray"),
    (("judge", "ment"), "judgment"),
    (("lear", "nt"), "learned"),
    (("licen", "ce"), "license"),
    (("manoeu", "vre"), "maneuver"),
    (("offen", "ce"), "offense"),
    (("para", "lyse"), "paralyze"),
    (("preten", "ce"), "pretense"),
    (("scep", "tic"), "skeptic"),
    (("spel", "t"), "spelled"),
    (("whi", "lst"), "while"),
];
/// Words that an entry of [`OTHERS`] only seems to be in.
const INNOCENT: &[&str] = &["analyses", "greyhound"];

/// Every word of a text that is spelled otherwise.
pub(super) fn check(path: &str, text: &str) -> Vec<Problem> {
    if !is_ours(path) {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for word in words(line) {
            if let Some(american) = american(word) {
                let message = format!("`{word}`: write `{american}`");
                problems.push(Problem::new(path, index + 1, message));
            }
        }
    }
    problems
}

/// Runs of letters. Names with an underscore are left out: they may be another library's.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_ascii_alphabetic() && c != '_')
        .filter(|word| word.len() > 3 && !word.contains('_'))
}

/// The word as it is spelled here, when that differs.
fn american(word: &str) -> Option<String> {
    let lower = word.to_ascii_lowercase();
    if INNOCENT.contains(&&*lower) {
        return None;
    }
    let replaced = |wrong: &str, right: &str| lower.replacen(wrong, right, 1);
    for root in OR.iter().filter(|root| lower.starts_with(**root)) {
        if lower[root.len()..].starts_with("our") {
            return Some(replaced(&format!("{root}our"), &format!("{root}or")));
        }
    }
    for root in IZE {
        let wrong = format!("{root}is");
        let Some((_, rest)) = lower.split_once(&wrong) else { continue };
        if IZE_ENDINGS.iter().any(|ending| rest.starts_with(ending)) {
            return Some(replaced(&wrong, &format!("{root}iz")));
        }
    }
    for root in SINGLE_L {
        let Some(rest) = lower.strip_prefix(root) else { continue };
        if matches!(rest, "lled" | "lling" | "ller" | "llers") {
            return Some(replaced("ll", "l"));
        }
    }
    OTHERS.iter().find_map(|((one, two), right)| {
        let wrong = format!("{one}{two}");
        let inside = wrong.len() > 5 && lower.contains(&wrong) || lower == wrong;
        inside.then(|| replaced(&wrong, right))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        check("a.md", text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn other_spellings_are_seen_wherever_they_stand() {
        for (root, wrong, right) in [
            ("behavi", "our", "behavior"),
            ("Behavi", "ours", "behaviors"),
            ("col", "oured", "colored"),
            ("neighb", "ouring", "neighboring"),
            ("normal", "ise", "normalize"),
            ("Normal", "isation", "normalization"),
            ("deserial", "ises", "deserializes"),
            ("unauthor", "ised", "unauthorized"),
            ("optim", "ising", "optimizing"),
            ("initial", "iser", "initializer"),
            ("trav", "elled", "traveled"),
            ("lab", "elling", "labeling"),
            ("arte", "facts", "artifacts"),
            ("cen", "tre", "center"),
            ("gr", "ey", "gray"),
            ("licen", "ces", "licenses"),
        ] {
            let word = format!("{root}{wrong}");
            assert_eq!(
                found(&format!("a\nthe {word}, x\n")),
                [format!("a.md:2: `{word}`: write `{right}`")]
            );
        }
    }

    #[test]
    fn words_that_only_look_alike_are_not() {
        let text = "our four hours; a tour of contours; otherwise promise, exercise, precise noise; \
                    optimism, realism, organisms, specialists, minimalist; analyses; filled, \
                    pulling, controller, modeled, labels, cancellation; is_cancelled; agrees; \
                    licenses; central; characteristic; localhost; colon; honest; valor; harbor";
        assert_eq!(found(text), Vec::<String>::new());
    }

    #[test]
    fn inputs_and_licenses_are_let_be() {
        let word = format!("col{}", "our\n");
        assert_eq!(check("a/LICENSE", &word).len() + check("x/seeds/y", &word).len(), 0);
        assert_eq!(check("b.yaml", &word).len(), 1);
    }
}
