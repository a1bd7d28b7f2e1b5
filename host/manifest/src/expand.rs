//! `${VAR}`, its defaults, and `$$`.
//!
//! References are cut out of the text before it is parsed and put back, expanded, into the scalars
//! afterwards. So a reference may stand in a YAML flow mapping, whose braces would otherwise end
//! it, and what a variable holds can never become structure of the manifest.

use crate::report::{Problem, Problems, quoted};
use crate::source::Span;

/// The character a reference becomes: this one plus the reference's index. Plane 15 is private use.
const FIRST_MARK: u32 = 0xF_0000;
const LAST_MARK: u32 = 0xF_FFFD;

const FORMS: &str =
    "write `${NAME}`, or `${NAME:default}` with a plain default; `$$` is a plain `$`";

/// What `${VAR}` stands for.
pub(crate) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A text with every reference replaced by one mark.
#[derive(Debug)]
pub(crate) struct Masked {
    /// The text to parse.
    pub(crate) text: String,
    references: Vec<Reference>,
    /// Where the two texts move against each other: (offset here, offset in the source).
    shifts: Vec<(usize, usize)>,
}

#[derive(Debug)]
struct Reference {
    written: String,
    span: Span,
    meaning: Meaning,
}

#[derive(PartialEq, Eq, Debug)]
enum Meaning {
    Literal(String),
    Variable { name: String, default: Option<Default> },
    Malformed { why: String, help: String },
}

/// What stands for a variable that has no value.
#[derive(PartialEq, Eq, Debug)]
struct Default {
    text: String,
    /// True when it stands for an empty value too, as `:-` means in a shell.
    for_empty: bool,
}

/// A scalar with its references replaced.
pub(crate) struct Expanded {
    /// The text the manifest means.
    pub(crate) text: String,
    /// The text as it was written, where that differs: what an error may show, because the
    /// environment holds secrets.
    pub(crate) written: Option<String>,
}

impl Masked {
    /// Cuts the references out of `source`; a byte order mark goes too.
    pub(crate) fn new(source: &str) -> Result<Self, Problem> {
        let start = if source.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        if let Some((at, found)) = source.char_indices().skip(usize::from(start > 0)).find(refused)
        {
            let span = Span { start: at, len: found.len_utf8() };
            return Err(Problem::new(
                span,
                format!("the character U+{:04X} cannot stand in a manifest", u32::from(found)),
            )
            .help(
                "control and private-use characters are refused; in a quoted text write an escape",
            ));
        }
        let mut masked =
            Self { text: String::with_capacity(source.len()), references: vec![], shifts: vec![] };
        let mut done = start;
        masked.shifts.push((0, start));
        while let Some(dollar) = source[done..].find('$').map(|found| done + found) {
            masked.text.push_str(&source[done..dollar]);
            match reference(&source[dollar..]) {
                Some((len, meaning)) => {
                    masked.cut(source, Span { start: dollar, len }, meaning)?;
                    done = dollar + len;
                    masked.shifts.push((masked.text.len(), done));
                }
                None => {
                    masked.text.push('$');
                    done = dollar + 1;
                }
            }
        }
        masked.text.push_str(&source[done..]);
        Ok(masked)
    }

    fn cut(&mut self, source: &str, span: Span, meaning: Meaning) -> Result<(), Problem> {
        let mark = u32::try_from(self.references.len())
            .ok()
            .and_then(|index| FIRST_MARK.checked_add(index))
            .filter(|mark| *mark <= LAST_MARK)
            .and_then(char::from_u32)
            .ok_or_else(|| Problem::new(span, "more than 65,534 references to variables"))?;
        self.shifts.push((self.text.len(), span.start));
        self.text.push(mark);
        let written = source[span.start..span.start + span.len].to_owned();
        self.references.push(Reference { written, span, meaning });
        Ok(())
    }

    /// The stretch of the source between two offsets of the masked text.
    pub(crate) fn span(&self, start: usize, end: usize) -> Span {
        let from = self.source_offset(start);
        Span { start: from, len: self.source_offset(end).saturating_sub(from) }
    }

    fn source_offset(&self, offset: usize) -> usize {
        let after = self.shifts.partition_point(|(here, _)| *here <= offset);
        // The first shift is at 0, so there is always one at or before the offset.
        let (here, there) = self.shifts[after.saturating_sub(1)];
        there + (offset - here)
    }

    /// The scalar `text` with its references replaced; `None` when one of them is a problem.
    pub(crate) fn expand(
        &self,
        text: &str,
        env: Env<'_>,
        problems: &mut Problems,
    ) -> Option<Expanded> {
        if !text.contains(is_mark) {
            return Some(Expanded { text: text.to_owned(), written: None });
        }
        let (mut expanded, mut written) = (String::new(), String::new());
        let (mut whole, mut secret) = (true, false);
        for character in text.chars() {
            let Some(reference) = self.reference(character) else {
                expanded.push(character);
                written.push(character);
                continue;
            };
            written.push_str(&reference.written);
            secret |= matches!(reference.meaning, Meaning::Variable { .. });
            match reference.value(env) {
                Ok(value) => expanded.push_str(&value),
                Err(problem) => {
                    problems.push(problem);
                    whole = false;
                }
            }
        }
        whole.then_some(Expanded { text: expanded, written: secret.then_some(written) })
    }

    /// The references up to an offset of the source that took a brace which was not meant for them,
    /// or left theirs to the text: the likely cause when the rest makes no sense there.
    pub(crate) fn malformed_before(&self, offset: usize) -> impl Iterator<Item = Problem> {
        let before = self.references.iter().filter(move |it| it.span.start <= offset);
        before.filter(|it| it.written.starts_with("${")).filter_map(Reference::malformed)
    }

    fn reference(&self, mark: char) -> Option<&Reference> {
        let index = u32::from(mark).checked_sub(FIRST_MARK)?;
        self.references.get(usize::try_from(index).ok()?)
    }
}

impl Reference {
    fn malformed(&self) -> Option<Problem> {
        let Meaning::Malformed { why, help } = &self.meaning else { return None };
        Some(Problem::new(self.span, why).help(help))
    }

    fn value(&self, env: Env<'_>) -> Result<String, Problem> {
        match &self.meaning {
            Meaning::Literal(text) => Ok(text.clone()),
            Meaning::Malformed { why, help } => Err(Problem::new(self.span, why).help(help)),
            Meaning::Variable { name, default } => {
                let for_empty = default.as_ref().is_some_and(|default| default.for_empty);
                let value = env(name).filter(|value| !(for_empty && value.is_empty()));
                let default = default.as_ref().map(|default| default.text.clone());
                value.or(default).ok_or_else(|| {
                    Problem::new(
                        self.span,
                        format!("the environment variable `{name}` is not set and has no default"),
                    )
                    .help(format!("set {name}, or give a default: `${{{name}:value}}`"))
                })
            }
        }
    }
}

/// What the `$` at the start of `text` begins, and its length; `None` when it is only a `$`.
fn reference(text: &str) -> Option<(usize, Meaning)> {
    match text.as_bytes() {
        [b'$', b'$', b'{', ..] => {
            // With its braces, which could end a flow mapping.
            let len = 1 + reference_len(&text[1..]).unwrap_or(2);
            Some((len, Meaning::Literal(text[1..len].to_owned())))
        }
        [b'$', b'$', ..] => Some((2, Meaning::Literal("$".to_owned()))),
        [b'$', b'{', ..] => Some(match reference_len(text) {
            Some(len) => (len, variable(&text[2..len - 1])),
            None => {
                let why = "`${` is not closed before the next `${` or the end of the line";
                (2, malformed(why, FORMS))
            }
        }),
        _ => {
            let name = name_at(&text[1..]);
            let meaning = || {
                let why = format!("`${name}` is not replaced: a variable needs braces");
                malformed(why, format!("write `${{{name}}}`, or `$${name}` for the plain text"))
            };
            (!name.is_empty()).then(|| (1 + name.len(), meaning()))
        }
    }
}

/// The length of the `${...}` that `text` starts with, if it is closed before the end of the line
/// and before another reference.
fn reference_len(text: &str) -> Option<usize> {
    let inside = 2;
    let rest = &text[inside..];
    for (at, _) in rest.match_indices(['}', '\n', '$']) {
        match &rest.as_bytes()[at..] {
            [b'}', ..] => return Some(inside + at + 1),
            [b'\n', ..] | [b'$', b'{', ..] => return None,
            _ => {}
        }
    }
    None
}

/// What stands between the braces: a name, and maybe a default.
fn variable(inside: &str) -> Meaning {
    let name = name_at(inside);
    let rest = &inside[name.len()..];
    let default = |text: &str, for_empty| {
        let default = Default { text: text.replace("$$", "$"), for_empty };
        Meaning::Variable { name: name.to_owned(), default: Some(default) }
    };
    if name.is_empty() {
        return malformed("`${...}` does not hold the name of an environment variable", FORMS);
    }
    if rest.is_empty() {
        return Meaning::Variable { name: name.to_owned(), default: None };
    }
    if let Some(text) = rest.strip_prefix(":-") {
        return default(text, true);
    }
    if let Some(form) = [":?", ":+", ":=", "?", "+", "="].iter().find(|it| rest.starts_with(**it)) {
        let why = format!("`{form}` after a variable's name means something to a shell, not here");
        return malformed(why, FORMS);
    }
    match (rest.strip_prefix(':'), rest.strip_prefix('-')) {
        (Some(text), _) => default(text, false),
        (None, Some(text)) => malformed(
            format!("`-` cannot stand in a variable's name: `${{{inside}}}`"),
            format!("for a default write `${{{name}:{text}}}`"),
        ),
        (None, None) if rest.starts_with([',', ' ', ']', '"', '\'']) => {
            malformed(format!("`${{{name}` is not closed where its name ends"), FORMS)
        }
        (None, None) => {
            malformed("`${...}` does not hold the name of an environment variable", FORMS)
        }
    }
}

fn malformed(why: impl Into<String>, help: impl Into<String>) -> Meaning {
    Meaning::Malformed { why: why.into(), help: help.into() }
}

/// The name of a variable that `text` starts with; empty when it starts with none.
fn name_at(text: &str) -> &str {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return "";
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

fn is_mark(character: char) -> bool {
    (FIRST_MARK..=LAST_MARK).contains(&u32::from(character))
}

fn refused((_, character): &(usize, char)) -> bool {
    is_mark(*character)
        || (character.is_control() && !matches!(character, '\t' | '\n' | '\r' | '\u{85}'))
}

/// How an error shows a scalar that may hold an expanded variable.
pub(crate) fn shown(text: &str, written: Option<&str>) -> String {
    quoted(written.unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(source: &str) -> (Option<String>, Problems) {
        let env = |name: &str| match name {
            "PORT" => Some("80 ${NOT_AGAIN}".to_owned()),
            "NOTHING" => Some(String::new()),
            _ => None,
        };
        let masked = Masked::new(source).expect("no refused characters");
        let mut problems = Problems::default();
        let expanded = masked.expand(&masked.text, &env, &mut problems);
        (expanded.map(|expanded| expanded.text), problems)
    }

    #[test]
    fn replaces_what_is_a_reference_and_leaves_the_rest() {
        for (source, expected) in [
            ("a ${PORT} b", "a 80 ${NOT_AGAIN} b"),
            ("${HOST:localhost}:${PORT:1}", "localhost:80 ${NOT_AGAIN}"),
            ("${URL:redis://h:6379/0}", "redis://h:6379/0"),
            ("${EMPTY:}", ""),
            ("${DIR:-data} ${NEGATIVE:--1} ${EMPTY:-}", "data -1 "),
            ("${NOTHING:-data} ${NOTHING:data}.", "data ."),
            ("$ {PORT} {PORT}$ $5 $2y$10$.", "$ {PORT} {PORT}$ $5 $2y$10$."),
            ("$${PORT} ${PORT:}", "${PORT} 80 ${NOT_AGAIN}"),
            ("$$${PORT:1}", "$80 ${NOT_AGAIN}"),
            ("$$PORT pa$$$$word $$", "$PORT pa$$word $"),
            ("${WORD:pa$$word}", "pa$word"),
            ("\u{feff}é${X:ü}", "éü"),
        ] {
            assert_eq!(expand(source).0.as_deref(), Some(expected), "{source}");
        }
    }

    #[test]
    fn a_wrong_reference_is_a_problem() {
        for source in [
            "${UNSET}",
            "${}",
            "${a-b}",
            "${1}",
            "${open",
            "${two\nlines}",
            "${:x}",
            "${A:${B}}",
            "${A b}",
            "${A:?unset}",
            "${A:+other}",
            "${A:=value}",
            "${A?}",
            "$HOME/data",
            "a$_b",
        ] {
            let (text, problems) = expand(source);
            assert!(text.is_none() && !problems.is_empty(), "{source:?}");
        }
    }

    #[test]
    fn offsets_lead_back_to_the_source() {
        let source = "\u{feff}a: ${X:é}, $ b: $${Y} $$ c";
        let masked = Masked::new(source).expect("no refused characters");
        for letter in ["a", "b", "c"] {
            let here = masked.text.find(letter).expect("the letter stands outside references");
            let span = masked.span(here, here + 1);
            assert_eq!(&source[span.start..span.start + span.len], letter);
        }
        let end = masked.span(0, masked.text.len());
        assert_eq!(end.start + end.len, source.len());
    }
}
