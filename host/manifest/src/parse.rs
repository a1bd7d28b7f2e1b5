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
    let masked = Masked::new(&source.text).map_err(|problem| problems.push(problem)).ok()?;
    if masked.text.trim().is_empty() {
        problems.push(empty());
        return None;
    }
    let mut builder = Builder::new(&masked, env, problems);
    let root = match source.format {
        Format::Yaml => yaml::parse(&mut builder),
        Format::Json => json::parse(&mut builder),
    };
    root.map_err(|problem| blame(&masked, problem, problems)).ok()
}

/// Reports what ended the reading, or what is to blame for it: a reference that is not closed takes
/// or leaves a brace, and then the text around it is not to be understood.
fn blame(masked: &Masked, problem: Problem, problems: &mut Problems) {
    let causes: Vec<_> = masked.malformed_before(problem.span.start).collect();
    if causes.is_empty() {
        problems.push(problem);
    }
    causes.into_iter().for_each(|cause| problems.push_once(cause));
}
