//! What an edit needs, prepared: its subject alone, and everything else as it was.

use std::sync::{Arc, OnceLock};

use trellis_core::{CallError, Code};
use trellis_supervisor::{Allowances, Kept, Part, Parts, Supervisor};

use super::owning::{Own, own};
use super::reading::changes;
use super::told::{helped, refused, told};
use crate::edits::{
    Base, Drafted, Entry, InForce, New, Next, Overlay, Subject, Version, WayBack, kept,
};
use crate::failure::Failure;
use crate::manifest::{Loaded, Loader, Made};

/// What an edit is made of, before its files are read.
pub(super) struct Making {
    pub(super) drafted: Drafted,
    pub(super) former: Option<Arc<Version>>,
    /// What is to be known of that.
    pub(super) remark: Option<String>,
    /// The edit that it follows was not judged yet.
    pub(super) is_open: bool,
    pub(super) base: Base,
    pub(super) overlay: Overlay,
    pub(super) parts: Arc<Parts>,
    pub(super) origin: u64,
}

impl Making {
    /// Loads the manifest that is applied with one more edit, and checks whether that is right.
    ///
    /// # Errors
    /// Why it cannot be made.
    pub(super) async fn load(
        self,
        (loader, supervisor): (Arc<Loader>, Supervisor),
        allows: Allowances,
    ) -> Result<Loaded, Failure> {
        let Self { drafted, former, remark, is_open, base, overlay, parts, origin } = self;
        let Drafted { subject, base: entry, next } = drafted;
        let (reads, named) = match &next {
            Next::New(new) => (new.reads, new.replacement.file().map(str::to_owned)),
            Next::Plain | Next::Former(_) => (false, None),
        };
        let before = overlay.get(&subject).cloned();
        let own = match &before {
            Some(before) => Own {
                entry,
                file: before.file.clone(),
                part: before.base_part.clone(),
                remarks: Vec::new(),
            },
            None => {
                let wanted = parts.get(subject.as_pair());
                let instead = wanted
                    .as_ref()
                    .and_then(|wanted| supervisor.running_instead(subject.as_pair(), wanted));
                own((&loader, &base), entry, (wanted, instead)).await?
            }
        };
        let now = before.as_ref().map(|before| Arc::clone(&before.version));
        let part = match (&next, &former) {
            (Next::New(_), _) if reads => None,
            (Next::New(_), _) => parts.get(subject.as_pair()),
            (_, Some(former)) => former.part.get().cloned(),
            (_, None) => own.part.clone(),
        };
        let goes_back = matches!(next, Next::Former(_));
        let is_update = matches!(&next, Next::New(new) if new.reads && !new.adds);
        let known = (former, now.as_deref());
        let of = (&subject, &own.entry, &base);
        let version = version(&loader, (next, origin), known, of).await?;
        let copied = version.as_ref().and_then(|version| version.replacement.file());
        let copied = copied.map(str::to_owned);
        let is_known = now.is_some() || !matches!(own.entry, Entry::Absent);
        let remarks = own.remarks.iter().cloned().chain(remark).collect();
        let follows = (before.as_deref(), is_open);
        let edit = version.map(|version| in_force(version, own, follows, is_update));
        let overlay = overlay.with(subject.clone(), edit.clone());
        // Who goes back goes to what ran before, whatever its key was.
        let forced = (allows.another || !reads).then_some(&subject);
        let stops = edit.as_ref().is_some_and(|edit| edit.version.besides.stopped) && !reads;
        let kept = match stops && !goes_back {
            // Also what may not run any more can be stopped.
            true => Kept::all(&parts),
            false => kept_but((&base, &overlay), &parts, (&subject, part.as_ref())),
        };
        let loaded = loader.prepare_again(&base, (kept, forced), &overlay).await;
        let loaded = loaded.map_err(|failure| told(&failure, &subject, (copied, named)))?;
        // What is added follows nothing.
        if reads && is_known {
            let checked = supervisor.check_follows(&loaded.prepared, subject.as_pair(), allows);
            checked.map_err(|error| refused(&subject, error))?;
        }
        let part = loaded.parts.get(subject.as_pair());
        if let (Some(edit), Some(part)) = (&edit, part) {
            // Of one that is gone back to it is known.
            let _ = edit.version.part.set(part);
        }
        let changes = changes(&supervisor, &loaded);
        let both = before.as_deref().zip(edit.as_ref());
        let brings = is_update || both.is_some_and(|(before, edit)| !before.brings_what(edit));
        let made = Made { subject, edit, brings, remarks };
        Ok(Loaded { changes, edit: Some(made), ..loaded })
    }
}

/// What an edit gives way to, prepared as it ran.
///
/// # Errors
/// Why that may not run any more, or does not fit what is wanted by now.
pub(super) async fn load_back(
    (loader, supervisor): (Arc<Loader>, Supervisor),
    (base, overlay, parts): (Base, Overlay, Arc<Parts>),
    WayBack { subject, edit, part }: WayBack,
) -> Result<Loaded, Failure> {
    let overlay = overlay.with(subject.clone(), edit);
    let kept = kept_but((&base, &overlay), &parts, (&subject, part.as_ref()));
    let loaded = loader.prepare_again(&base, (kept, Some(&subject)), &overlay).await;
    let loaded = loaded.map_err(|failure| told(&failure, &subject, (None, None)))?;
    let changes = changes(&supervisor, &loaded);
    Ok(Loaded { changes, ..loaded })
}

/// An edit that brings this, of what the manifest says, after the edit `before`.
fn in_force(
    version: Arc<Version>,
    own: Own,
    (before, is_open): (Option<&InForce>, bool),
    is_update: bool,
) -> InForce {
    let now = before.map(|before| Arc::clone(&before.version));
    let unjudged = before.filter(|before| is_open || before.untried);
    // What nobody has judged yet is nothing to go back to, nor to be compared with.
    let (sound, watched) = match unjudged {
        Some(before) => (before.sound.clone(), before.watched),
        None => (now.clone(), None),
    };
    let stays = unjudged.is_some_and(|it| it.version.replacement == version.replacement);
    let untried = version.besides.stopped && (is_update || stays);
    let Own { entry, file, part: base_part, .. } = own;
    let (base, before, revision) = (entry, now, 0);
    InForce { version, base, file, base_part, before, sound, revision, watched, untried }
}

/// All that was prepared, but of the subject this part, at its place among what edits leave there.
fn kept_but(
    (base, overlay): (&Base, &Overlay),
    parts: &Parts,
    (subject, part): (&Subject, Option<&Part>),
) -> Kept {
    Kept::all_but(parts, (subject.as_pair(), overlay.place(base, subject)), part)
}

/// What an edit brings, with its file where nobody changes it; `None` is what the manifest says.
async fn version(
    loader: &Arc<Loader>,
    (next, origin): (Next, u64),
    (former, now): (Option<Arc<Version>>, Option<&Version>),
    (subject, entry, base): (&Subject, &Entry, &Base),
) -> Result<Option<Arc<Version>>, Failure> {
    let Next::New(new) = next else { return Ok(former) };
    let New { replacement, besides, named, what, keeps, reads, adds } = *new;
    let (replacement, file) = match reads {
        // It stays what it is.
        false => (replacement, now.and_then(|now| now.file.clone())),
        true => {
            let (entry, cache) = (entry.clone(), loader.cache(&base.manifest));
            let keeping = loader.copy(move || kept(replacement, &entry, cache.as_deref())).await?;
            let (replacement, file) = keeping.map_err(helped)?;
            (replacement, file.map(Arc::new))
        }
    };
    if let Some(now) = now.filter(|now| adds && now.replacement != replacement) {
        return Err(helped(there_already(subject, &now.what)));
    }
    let part = OnceLock::new();
    Ok(Some(Arc::new(Version { replacement, besides, file, named, what, keeps, origin, part })))
}

/// That something is started as what it is not.
fn there_already(subject: &Subject, what: &str) -> CallError {
    let Subject { kind, name } = subject;
    let text = format!(
        "{subject} is there already, as {what}: `trellis update {kind} {name}` puts another one in \
         its place"
    );
    CallError::new(Code::Message, text)
}
