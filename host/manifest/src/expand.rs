//! `${VAR}` and `${VAR:default}`.
//!
//! References are cut out of the text before it is parsed and put back, expanded, into the scalars
//! afterwards. So a reference may stand in a YAML flow mapping, whose braces would otherwise end
//! it, and what a variable holds can never become structure of the manifest.

use crate::report::{Problem, Problems, quoted};
use crate::source::Span;

/// The character a reference becomes: this one plus the reference's index. Plane 15 is private use.
const FIRST_MARK: u32 = 0xF_0000;
const LAST_MARK: u32 = 0xF_FFFD;

const FORMS: &str = "write `${NAME}`, `${NAME:default}` with a plain default, or `$${` for `${`";

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

#[derive(Debug)]
enum Meaning {
    Literal(String),
    Variable { name: String, default: Option<String> },
    Malformed(&'static str),
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
        while let Some(dollar) = source[done..].find("${").map(|found| done + found) {
            let escaped = dollar > done && source.as_bytes()[dollar - 1] == b'$';
            let start = if escaped { dollar - 1 } else { dollar };
            let end = reference_end(source, dollar);
            masked.text.push_str(&source[done..start]);
            masked.cut(source, start, dollar, end)?;
            done = end.unwrap_or(dollar + 2);
            masked.shifts.push((masked.text.len(), done));
        }
        masked.text.push_str(&source[done..]);
        Ok(masked)
    }

    fn cut(
        &mut self,
        source: &str,
        start: usize,
        dollar: usize,
        end: Option<usize>,
    ) -> Result<(), Problem> {
        let stop = end.unwrap_or(dollar + 2);
        let span = Span { start, len: stop - start };
        let meaning = match end {
            _ if start < dollar => Meaning::Literal(source[dollar..stop].to_owned()),
            Some(end) => variable(&source[dollar + 2..end - 1]),
            None => {
                Meaning::Malformed("`${` is not closed before the next `${` or the end of the line")
            }
        };
        let mark = u32::try_from(self.references.len())
            .ok()
            .and_then(|index| FIRST_MARK.checked_add(index))
            .filter(|mark| *mark <= LAST_MARK)
            .and_then(char::from_u32)
            .ok_or_else(|| Problem::new(span, "more than 65,534 references to variables"))?;
        self.shifts.push((self.text.len(), start));
        self.text.push(mark);
        self.references.push(Reference { written: source[start..stop].to_owned(), span, meaning });
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
        let (mut expanded, mut written, mut whole) = (String::new(), String::new(), true);
        for character in text.chars() {
            let Some(reference) = self.reference(character) else {
                expanded.push(character);
                written.push(character);
                continue;
            };
            written.push_str(&reference.written);
            match reference.value(env) {
                Ok(value) => expanded.push_str(&value),
                Err(problem) => {
                    problems.push(problem);
                    whole = false;
                }
            }
        }
        whole.then_some(Expanded { text: expanded, written: Some(written) })
    }

    fn reference(&self, mark: char) -> Option<&Reference> {
        let index = u32::from(mark).checked_sub(FIRST_MARK)?;
        self.references.get(usize::try_from(index).ok()?)
    }
}

impl Reference {
    fn value(&self, env: Env<'_>) -> Result<String, Problem> {
        match &self.meaning {
            Meaning::Literal(text) => Ok(text.clone()),
            Meaning::Malformed(why) => Err(Problem::new(self.span, *why).help(FORMS)),
            Meaning::Variable { name, default } => {
                env(name).or_else(|| default.clone()).ok_or_else(|| {
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

/// The offset after the `}` that closes the reference at `dollar`, if it comes before the end of
/// the line and before another reference.
fn reference_end(source: &str, dollar: usize) -> Option<usize> {
    let inside = dollar + 2;
    let rest = &source[inside..];
    for (at, _) in rest.match_indices(['}', '\n', '$']) {
        match &rest.as_bytes()[at..] {
            [b'}', ..] => return Some(inside + at + 1),
            [b'\n', ..] | [b'$', b'{', ..] => return None,
            _ => {}
        }
    }
    None
}

fn variable(inside: &str) -> Meaning {
    let (name, default) = match inside.split_once(':') {
        Some((name, default)) => (name, Some(default.to_owned())),
        None => (inside, None),
    };
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if starts_well && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        Meaning::Variable { name: name.to_owned(), default }
    } else {
        Meaning::Malformed("`${...}` does not hold the name of an environment variable")
    }
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
        let env = |name: &str| (name == "PORT").then(|| "80 ${NOT_AGAIN}".to_owned());
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
            ("$PORT $ {PORT} {PORT}$", "$PORT $ {PORT} {PORT}$"),
            ("$${PORT} ${PORT:}", "${PORT} 80 ${NOT_AGAIN}"),
            ("$$${PORT:1}", "$${PORT:1}"),
            ("\u{feff}é${X:ü}", "éü"),
        ] {
            assert_eq!(expand(source).0.as_deref(), Some(expected), "{source}");
        }
    }

    #[test]
    fn a_wrong_reference_is_a_problem() {
        for source in
            ["${UNSET}", "${}", "${a-b}", "${1}", "${open", "${two\nlines}", "${:x}", "${A:${B}}"]
        {
            let (text, problems) = expand(source);
            assert!(text.is_none() && !problems.is_empty(), "{source:?}");
        }
    }

    #[test]
    fn offsets_lead_back_to_the_source() {
        let source = "\u{feff}a: ${X:é}, b: $${Y} c";
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
