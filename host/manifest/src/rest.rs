//! What is right of a manifest that is wrong.

use crate::report::{Problem, Report};
use crate::source::Spanned;
use crate::spec::Manifest;

/// A manifest that is wrong.
#[derive(Debug)]
pub struct Wrong {
    /// What is wrong with the text.
    pub report: Report,
    /// What else it says; `None` when that cannot be known.
    pub rest: Option<Box<Rest>>,
}

/// The part of a wrong manifest in which the text has no mistake. It must not run: it is there to
/// be checked, so that one mistake hides no other.
#[derive(Debug)]
pub struct Rest {
    /// Without the actors, providers and bindings that have a mistake in their text.
    pub manifest: Manifest,
    /// An actor may be missing from it.
    pub lacks_actors: bool,
    /// A provider may be missing from it.
    pub lacks_providers: bool,
    /// What it says of trust may be wrong.
    pub lacks_trust: bool,
}

/// Whether lists could be read to the last item.
#[derive(Clone, Copy)]
pub(crate) struct Whole {
    pub(crate) actors: bool,
    pub(crate) providers: bool,
}

impl Wrong {
    /// All of `report` is wrong, and `understood` is what the text means but for that. The
    /// top-level keys begin at `keys`.
    pub(crate) fn new(
        report: Report,
        understood: Option<(Manifest, Whole)>,
        keys: Vec<usize>,
    ) -> Self {
        let rest = understood.filter(|_| report.omitted() == 0);
        let rest = rest
            .map(|(manifest, whole)| Box::new(rest_of((manifest, keys), whole, report.problems())));
        Self { report, rest }
    }
}

fn rest_of(
    (mut manifest, keys): (Manifest, Vec<usize>),
    whole: Whole,
    problems: &[Problem],
) -> Rest {
    let mut placed = vec![false; problems.len()];
    // A span points at the beginning of an item, which goes on until something else begins.
    let mut begins = keys;
    begins.extend(manifest.actors.iter().map(|item| item.span.start));
    begins.extend(manifest.providers.iter().map(|item| item.span.start));
    begins.extend(manifest.bindings.iter().map(|item| item.span.start));
    begins.sort_unstable();
    let all = (problems, &*begins);
    let actors = retain(&mut manifest.actors, all, &mut placed) && whole.actors;
    let providers = retain(&mut manifest.providers, all, &mut placed) && whole.providers;
    retain(&mut manifest.bindings, all, &mut placed);
    // A list that is not there may have been meant by a mistyped key.
    let (no_actors, no_providers) = (manifest.actors.is_empty(), manifest.providers.is_empty());
    Rest {
        lacks_actors: !actors || no_actors,
        lacks_providers: !providers || no_providers,
        lacks_trust: placed.contains(&false),
        manifest,
    }
}

/// Keeps the items without a problem; true when these are all.
fn retain<T>(
    items: &mut Vec<Spanned<T>>,
    (problems, begins): (&[Problem], &[usize]),
    placed: &mut [bool],
) -> bool {
    let before = items.len();
    items.retain(|item| {
        let start = item.span.start;
        let next = begins.partition_point(|begin| *begin <= start);
        let extent = start..begins.get(next).copied().unwrap_or(usize::MAX);
        let mut is_right = true;
        for (problem, placed) in problems.iter().zip(placed.iter_mut()) {
            if extent.contains(&problem.span.start) {
                (*placed, is_right) = (true, false);
            }
        }
        is_right
    });
    items.len() == before
}
