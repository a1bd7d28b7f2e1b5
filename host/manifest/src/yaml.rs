//! YAML events to the tree.

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span as Marks, Tag};

use crate::report::Problem;
use crate::source::Span;
use crate::tree::{Builder, Node, empty};

/// A list or mapping that is not closed yet.
struct Open {
    start: Span,
    anchor: usize,
    mapping: bool,
    /// Items; keys and values in turn in a mapping.
    items: Vec<Arc<Node>>,
}

/// The tree of a YAML text, or the problem that stops the reading.
pub(crate) fn parse(builder: &mut Builder<'_>) -> Result<Arc<Node>, Problem> {
    let text = &builder.masked.text;
    let places = Places::of(text);
    let mut reader = Reader { builder, open: Vec::new(), anchors: HashMap::new(), root: None };
    for event in Parser::new_from_str(text) {
        let (event, marks) = event.map_err(|error| {
            let at = places.byte(error.marker().index());
            not_yaml(&reader, error.info(), at)
        })?;
        let span = places.span(&reader, marks);
        reader.event(event, span)?;
    }
    reader.root.ok_or_else(empty)
}

struct Reader<'a, 'b> {
    builder: &'a mut Builder<'b>,
    open: Vec<Open>,
    anchors: HashMap<usize, Arc<Node>>,
    root: Option<Arc<Node>>,
}

impl Reader<'_, '_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        match event {
            Event::DocumentStart(_) if self.root.is_some() => {
                return Err(Problem::new(span, "a second document begins here")
                    .help("a manifest is one document; remove the `---`"));
            }
            Event::Scalar(text, style, anchor, tag) => {
                known_tag(tag.as_deref(), span)?;
                let null = style == ScalarStyle::Plain
                    && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let node = self.builder.scalar(span, &text, null)?;
                self.add(node, anchor);
            }
            Event::SequenceStart(anchor, tag) => self.begin(span, anchor, false, tag.as_deref())?,
            Event::MappingStart(anchor, tag) => self.begin(span, anchor, true, tag.as_deref())?,
            Event::SequenceEnd | Event::MappingEnd => self.end()?,
            Event::Alias(anchor) => self.alias(anchor, span)?,
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn begin(
        &mut self,
        start: Span,
        anchor: usize,
        mapping: bool,
        tag: Option<&Tag>,
    ) -> Result<(), Problem> {
        known_tag(tag, start)?;
        self.builder.check_depth(start, self.depth() + 1)?;
        self.open.push(Open { start, anchor, mapping, items: Vec::new() });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Problem> {
        let Some(Open { start, anchor, mapping, items }) = self.open.pop() else { return Ok(()) };
        let node = if mapping {
            let mut items = items.into_iter();
            let pairs = std::iter::from_fn(|| Some((items.next()?, items.next()?))).collect();
            self.builder.mapping(start, pairs)?
        } else {
            self.builder.sequence(start, items)?
        };
        self.add(node, anchor);
        Ok(())
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Problem> {
        // An anchor is known once its value is complete, so an alias inside it finds nothing.
        let Some(target) = self.anchors.get(&anchor).map(Arc::clone) else {
            return Err(Problem::new(span, "an alias stands inside the value it repeats"));
        };
        self.builder.alias(span, &target)?;
        self.builder.check_depth(span, self.depth() + target.depth())?;
        self.put(target);
        Ok(())
    }

    fn add(&mut self, node: Node, anchor: usize) {
        let node = Arc::new(node);
        if anchor > 0 {
            self.anchors.insert(anchor, Arc::clone(&node));
        }
        self.put(node);
    }

    fn put(&mut self, node: Arc<Node>) {
        match self.open.last_mut() {
            Some(open) => open.items.push(node),
            None => self.root = Some(node),
        }
    }

    fn depth(&self) -> u32 {
        u32::try_from(self.open.len()).unwrap_or(u32::MAX)
    }
}

/// The problem of a text that is not YAML from the offset `at` on.
fn not_yaml(reader: &Reader<'_, '_>, why: &str, at: usize) -> Problem {
    let masked = reader.builder.masked;
    let (at, len, message, help) = match blamed_tab(&masked.text, why, at) {
        Some(tab) => (
            tab,
            1,
            "a tab cannot stand here".to_owned(),
            "YAML is indented with spaces; most editors can convert tabs",
        ),
        None => (
            at,
            0,
            format!("this is not YAML: {why}"),
            "often the line above is the cause: its indentation, a colon, a quote",
        ),
    };
    Problem::new(masked.span(at, at + len), message).help(help)
}

/// The tab that an error at the offset `at` is about. The parser names a place near it at best, and
/// may complain about what comes after an indentation it did not understand.
fn blamed_tab(text: &str, why: &str, at: usize) -> Option<usize> {
    let line_start = |end: usize| text[..end].rfind('\n').map_or(0, |newline| newline + 1);
    let start = line_start(at);
    let before = start.checked_sub(1).map(line_start);
    let indenting = [Some(start), before].into_iter().flatten().find_map(|start| {
        let indentation = text[start..].find(|c| c != ' ' && c != '\t').unwrap_or(0);
        text[start..start + indentation].find('\t').map(|tab| start + tab)
    });
    let after = || text[at..].find('\t').map(|tab| at + tab).filter(|_| why.contains("tab"));
    // What should be a space after a colon: the parser names what follows it.
    let separating = || {
        let tab = at.checked_sub(1).filter(|before| text.as_bytes()[*before] == b'\t');
        tab.filter(|_| why.contains("whitespace"))
    };
    indenting.or_else(after).or_else(separating)
}

/// A tag would change how a value is read, and here only its key decides that.
fn known_tag(tag: Option<&Tag>, span: Span) -> Result<(), Problem> {
    match tag {
        Some(tag) if !tag.is_yaml_core_schema() => {
            Err(Problem::new(span, format!("the tag `{tag}` means nothing here"))
                .help("remove it; quote the value if it should begin with `!`"))
        }
        _ => Ok(()),
    }
}

/// The parser counts characters, everything else counts bytes.
struct Places {
    /// The offset of each character; empty when all of them are one byte.
    offsets: Vec<usize>,
    len: usize,
}

impl Places {
    fn of(text: &str) -> Self {
        let offsets = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices().map(|(offset, _)| offset).collect()
        };
        Self { offsets, len: text.len() }
    }

    fn byte(&self, character: usize) -> usize {
        let offset = if self.offsets.is_empty() {
            Some(character)
        } else {
            self.offsets.get(character).copied()
        };
        offset.map_or(self.len, |offset| offset.min(self.len))
    }

    fn span(&self, reader: &Reader<'_, '_>, marks: Marks) -> Span {
        reader.builder.masked.span(self.byte(marks.start.index()), self.byte(marks.end.index()))
    }
}
