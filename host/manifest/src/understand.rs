//! What a tree means.

use crate::form::Form;
use crate::report::Problems;
use crate::resolve::resolve;
use crate::rest::Whole;
use crate::spec::Manifest;
use crate::tree::Node;

/// What a tree means, or as much of that as its problems leave.
pub(crate) fn understood(root: &Node, problems: &mut Problems) -> Option<(Manifest, Whole)> {
    Form::read(root, "the manifest", problems).map(|written| resolve(written, problems))
}
