//! The manifest as a small tree that remembers where everything stood.

use std::collections::HashMap;
use std::sync::Arc;

use crate::expand::{Env, Masked, shown};
use crate::report::{Problem, Problems, quoted};
use crate::source::{Span, Spanned};

/// Deepest nesting of lists and mappings.
pub(crate) const DEPTH_MAX: u32 = 32;
/// Most values; an alias counts as everything it stands for.
pub(crate) const VALUES_MAX: usize = 500_000;

/// A value and where a caret should point: at its first line, not at the whole of it.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) value: Value,
    /// Values in it, itself included, aliases counted in full.
    weight: usize,
    /// Levels below it.
    height: u32,
}

/// What a value is.
#[derive(Debug)]
pub(crate) enum Value {
    /// Nothing: `key:` without a value, `~`, `null`.
    Null,
    /// Text, a number or a boolean; its reader decides which.
    Scalar {
        text: String,
        /// As in [`crate::expand::Expanded`].
        written: Option<String>,
    },
    /// A scalar whose problem was reported already.
    Unknown,
    /// A list.
    Sequence(Vec<Arc<Node>>),
    /// Keys with their values, in order, each key once.
    Mapping(Vec<(Spanned<String>, Arc<Node>)>),
}

impl Node {
    /// What the value is called in a message.
    pub(crate) fn describe(&self) -> String {
        match &self.value {
            Value::Null | Value::Unknown => "nothing".to_owned(),
            Value::Scalar { text, written } => shown(text, written.as_deref()),
            Value::Sequence(_) => "a list".to_owned(),
            Value::Mapping(_) => "a mapping".to_owned(),
        }
    }

    /// Where its keys begin.
    pub(crate) fn keys(&self) -> Vec<usize> {
        match &self.value {
            Value::Mapping(entries) => entries.iter().map(|(key, _)| key.span.start).collect(),
            _ => Vec::new(),
        }
    }

    /// Levels of nesting it adds, itself included.
    pub(crate) fn depth(&self) -> u32 {
        self.height + 1
    }
}

/// The problem of a manifest without any value.
pub(crate) fn empty() -> Problem {
    Problem::new(Span::default(), "the manifest is empty")
        .help("write at least `actors:` with one image")
}

/// Makes nodes, whatever the language of the text; keeps the tree within its bounds.
pub(crate) struct Builder<'a> {
    pub(crate) masked: &'a Masked,
    env: Env<'a>,
    problems: &'a mut Problems,
    values: usize,
}

impl<'a> Builder<'a> {
    /// A builder over a masked text.
    pub(crate) fn new(masked: &'a Masked, env: Env<'a>, problems: &'a mut Problems) -> Self {
        Self { masked, env, problems, values: 0 }
    }

    /// A text with its variables expanded. `null` when the language says that the scalar is none.
    pub(crate) fn scalar(&mut self, span: Span, text: &str, null: bool) -> Result<Node, Problem> {
        let value = if null {
            Value::Null
        } else {
            match self.masked.expand(text, self.env, self.problems) {
                Some(expanded) => Value::Scalar { text: expanded.text, written: expanded.written },
                None => Value::Unknown,
            }
        };
        self.node(span, value, 1, 0)
    }

    /// A list that begins at `start`.
    pub(crate) fn sequence(&mut self, start: Span, items: Vec<Arc<Node>>) -> Result<Node, Problem> {
        let span = items.first().map_or(start, |first| first.span);
        let weight = 1 + items.iter().map(|item| item.weight).sum::<usize>();
        let height = items.iter().map(|item| item.depth()).max().unwrap_or(0);
        self.node(span, Value::Sequence(items), weight, height)
    }

    /// A mapping that begins at `start`; keys that are no text or come twice are problems.
    pub(crate) fn mapping(
        &mut self,
        start: Span,
        entries: Vec<(Arc<Node>, Arc<Node>)>,
    ) -> Result<Node, Problem> {
        let span = entries.first().map_or(start, |(key, _)| key.span);
        let weight = 1 + entries.iter().map(|(_, value)| 1 + value.weight).sum::<usize>();
        let height = entries.iter().map(|(_, value)| value.depth()).max().unwrap_or(0);
        let mut seen = HashMap::with_capacity(entries.len());
        let mut kept = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let Value::Scalar { text, .. } = &key.value else {
                if !matches!(key.value, Value::Unknown) {
                    let message = format!("a key must be text, not {}", key.describe());
                    self.problems.push(Problem::new(key.span, message));
                }
                continue;
            };
            if seen.insert(text.clone(), ()).is_some() {
                let message = format!("the key {} is given twice", quoted(text));
                self.problems.push(
                    Problem::new(key.span, message).help("keep one of the two; neither wins"),
                );
                continue;
            }
            kept.push((Spanned::new(text.clone(), key.span), value));
        }
        self.node(span, Value::Mapping(kept), weight, height)
    }

    /// Counts what an alias repeats.
    pub(crate) fn alias(&mut self, span: Span, target: &Node) -> Result<(), Problem> {
        self.count(span, target.weight)
    }

    /// Refuses a list or mapping that would stand `depth` levels deep.
    pub(crate) fn check_depth(&self, span: Span, depth: u32) -> Result<(), Problem> {
        if depth <= DEPTH_MAX {
            return Ok(());
        }
        let message = format!("lists and mappings are nested deeper than {DEPTH_MAX} levels");
        Err(Problem::new(span, message).help("a manifest needs no more than five levels"))
    }

    fn node(
        &mut self,
        span: Span,
        value: Value,
        weight: usize,
        height: u32,
    ) -> Result<Node, Problem> {
        self.count(span, 1)?;
        Ok(Node { span, value, weight, height })
    }

    fn count(&mut self, span: Span, more: usize) -> Result<(), Problem> {
        self.values = self.values.saturating_add(more);
        if self.values <= VALUES_MAX {
            return Ok(());
        }
        let message = format!("the manifest has more than {VALUES_MAX} values, aliases included");
        Err(Problem::new(span, message).help("write fewer, or smaller, aliases (`*name`)"))
    }
}
