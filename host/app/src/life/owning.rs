//! What the manifest says of what is edited, kept where nobody changes it.

use std::sync::Arc;

use trellis_artifacts::Imprint;
use trellis_manifest::{Manifest, Span, Spanned};
use trellis_supervisor::Part;

use crate::edits::{Base, Ended, Entry, InForce, kept_part};
use crate::failure::Failure;
use crate::manifest::{Loaded, Loader};

/// Said of an edit where the manifest's own version never ran.
const NOT_HAD: &str = "what the manifest names could not be had and does not run (`/readyz` says \
                       why): whoever goes back from this edit goes back to what runs now";

/// What the manifest says of the subject, as it is for as long as an edit holds.
pub(super) struct Own {
    pub(super) entry: Entry,
    pub(super) file: Option<Imprint>,
    pub(super) part: Option<Part>,
    pub(super) remarks: Vec<String>,
}

/// What the manifest says of the subject of its first edit: kept where nobody changes it. Where
/// something runs `instead`, that is what is gone back to.
pub(super) async fn own(
    (loader, base): (&Arc<Loader>, &Base),
    entry: Entry,
    (wanted, instead): (Option<Part>, Option<Part>),
) -> Result<Own, Failure> {
    let file = file_of(loader, entry.clone()).await?;
    let not_had = instead.as_ref().map(|_| NOT_HAD.to_owned());
    let Some(part) = instead.or(wanted) else {
        return Ok(Own { entry, file, part: None, remarks: Vec::new() });
    };
    let (copied, cache) = (part.clone(), loader.cache(&base.manifest));
    let copying = loader.copy(move || kept_part(&copied, cache.as_deref())).await?;
    let (part, mut remarks) = match copying {
        Ok(kept) => (kept, Vec::new()),
        Err(error) => {
            let why = error.message();
            let what = if not_had.is_some() { "what runs" } else { "what the manifest names" };
            let remark = format!(
                "{what} cannot be kept ({why}): if it has to be read again, this edit cannot be \
                 taken back"
            );
            (part, vec![remark])
        }
    };
    remarks.extend(not_had);
    Ok(Own { entry, file, part: Some(part), remarks })
}

/// The file that an entry of the manifest names, as it is now.
async fn file_of(loader: &Loader, entry: Entry) -> Result<Option<Imprint>, Failure> {
    let mut alone = Manifest::default();
    match entry {
        Entry::Actor(spec) => alone.actors.push(Spanned::new(spec, Span::default())),
        Entry::Provider(spec) => alone.providers.push(Spanned::new(spec, Span::default())),
        Entry::Absent => return Ok(None),
    }
    let path = loader.files(&alone).pop().or_else(|| loader.programs(&alone).pop());
    let Some(path) = path else { return Ok(None) };
    loader.copy(move || Imprint::of(&path).ok()).await
}

/// What is left of an edit whose entry the manifest says anew lies over that from now on.
pub(super) async fn lay_anew(loader: &Arc<Loader>, loaded: &mut Loaded) -> Result<(), Failure> {
    let Loaded { ended, base, parts, .. } = loaded;
    for Ended { subject, left, entry, .. } in ended {
        let Some(edit) = left.take_if(|_| *entry) else { continue };
        let part = parts.get(subject.as_pair());
        let Own { file, part: base_part, remarks, .. } =
            own((loader, base), edit.base.clone(), (part.clone(), None)).await?;
        remarks.iter().for_each(|remark| tracing::warn!("{subject}: {remark}"));
        part.into_iter().for_each(|part| drop(edit.version.part.set(part)));
        *left = Some(InForce { file, base_part, ..edit });
    }
    Ok(())
}
