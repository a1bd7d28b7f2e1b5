//! A manifest's text to its tree, whichever language it is written in.

use std::sync::Arc;

use crate::expand::{Env, Masked};
use crate::report::{Problem, Problems};
use crate::source::{Format, SourceText, Span};
use crate::tree::{Builder, Node, empty};
use crate::{json, yaml};

/// Largest manifest, in bytes: ten thousand actors with their bindings fit.
pub const BYTES_MAX: usize = 4 << 20;

/// The tree of a manifest; `None` when the problems leave none.
pub(crate) fn parse(
    source: &SourceText,
    env: Env<'_>,
    problems: &mut Problems,
) -> Option<Arc<Node>> {
    if source.text.len() > BYTES_MAX {
        let message = format!("the manifest is too large; the most allowed is {BYTES_MAX} bytes");
        problems.push(
            Problem::new(Span::default(), message)
                .help("is this the right file? split it if it is"),
        );
        return None;
    }
    let root = Masked::new(&source.text).and_then(|masked| {
        if masked.text.trim().is_empty() {
            return Err(empty());
        }
        let mut builder = Builder::new(&masked, env, problems);
        match source.format {
            Format::Yaml => yaml::parse(&mut builder),
            Format::Json => json::parse(&mut builder),
        }
    });
    match root {
        Ok(root) => Some(root),
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}
