//! Edits on their way: what somebody asks for is loaded as a manifest is, and takes turns with
//! that. What takes an edit back goes first; a revocation was enforced before that in any case.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;
use trellis_artifacts::Stamp;
use trellis_claims::{Clock, SystemClock};
use trellis_control::{Applied, ChangedBy, ComponentKind, Edit, EditEntry, Edited};
use trellis_core::{CallError, Code};
use trellis_manifest::{Manifest, Span, Spanned};
use trellis_supervisor::{Allowances, Supervisor};

use super::errand::{Answering, Errand};
use super::{Beside, Life, changes};
use crate::edits::{
    Base, Change, Drafted, Entry, InForce, Next, Order, Overlay, Replacement, Subject, TakenBack,
    Terms, Verdict, Version, check_data, draft, kept, notes, watch,
};
use crate::failure::Failure;
use crate::loading::{Loading, Progress};
use crate::manifest::{Loaded, Loader};

/// Pause before what was to be taken back is tried again, when it could not be prepared.
const RELAY_AGAIN: Duration = Duration::from_secs(5);

/// What an edit is made of, before its files are read.
struct Making {
    drafted: Drafted,
    former: Option<Arc<Version>>,
    /// The edit that it follows was not judged yet.
    is_open: bool,
    base: Base,
    overlay: Overlay,
    origin: u64,
}

impl Life {
    /// Begins with an edit that somebody asks for, or says why not.
    pub(super) fn begin(&mut self, order: Order) -> Option<Loading> {
        if order.is_abandoned() {
            tracing::info!("an edit that waited is not made: nobody waits for it any more");
            return None;
        }
        match self.making(&order) {
            Ok(making) => {
                let loading = self.load(&order, making);
                self.errand = Errand::Order(Box::new(order));
                Some(loading)
            }
            Err(error) => {
                order.refuse(error);
                None
            }
        }
    }

    /// What an order asks for.
    fn making(&self, order: &Order) -> Result<Making, CallError> {
        let Some(base) = self.base.clone().filter(|_| self.started) else {
            return Err(CallError::new(Code::Busy, "the host has not started yet"));
        };
        Terms::of(order.request.watch)?;
        self.edits.look(|book| {
            book.check_made_for(order.made_for)?;
            let drafted = draft(&order.request.edit, &base, book)?;
            check_data(&order.request, &drafted.subject)?;
            let former = match drafted.next {
                Next::Former(to) => book.former(&drafted.subject, to)?,
                Next::New { .. } => None,
            };
            let now = book.overlay().get(&drafted.subject);
            let is_open = now.is_some_and(|now| book.is_open(now.revision));
            let (overlay, origin) = (book.overlay().clone(), book.revision() + 1);
            Ok(Making { drafted, former, is_open, base, overlay, origin })
        })
    }

    /// Loads the manifest that is applied with one more edit, and checks whether that is right.
    fn load(&self, order: &Order, making: Making) -> Loading {
        let request = &order.request;
        let is_new = !matches!(request.edit, Edit::Rollback { .. });
        let is_forced = request.force || !is_new;
        let data = request.data;
        let allows = Allowances { another: request.force, more: request.allow_more_capabilities };
        let (loader, supervisor) = (Arc::clone(&self.loader), self.host.supervisor().clone());
        Loading::begin(None, Progress::from_rest(), async move {
            let Making { drafted, former, is_open, base, overlay, origin } = making;
            let Drafted { subject, base: entry, next } = drafted;
            let named = named_by(&next);
            let version = version(&loader, (next, former, origin), (&entry, &base)).await?;
            let copied = version.as_ref().and_then(|version| file_in(&version.replacement));
            let before = overlay.get(&subject).cloned();
            let file = match &before {
                Some(before) => before.file.clone(),
                None => file_of(Arc::clone(&loader), entry.clone()).await,
            };
            // What nobody has judged yet is nothing to go back to, nor to be compared with.
            let (sound, watched) = match &before {
                Some(before) if is_open => (before.sound.clone(), before.watched),
                before => (before.as_ref().map(|before| Arc::clone(&before.version)), None),
            };
            let before = before.map(|before| Arc::clone(&before.version));
            let edit = version.map(|version| InForce {
                version,
                base: entry,
                file,
                before,
                sound,
                revision: 0,
                watched,
            });
            let overlay = overlay.with(subject.clone(), edit.clone());
            let forced = if is_forced { std::slice::from_ref(&subject) } else { &[] };
            let loaded = loader.prepare_again(&base, forced, &overlay).await;
            let mut loaded = loaded.map_err(|failure| told(&failure, &subject, (copied, named)))?;
            data.iter().for_each(|terms| loaded.prepared.moves_data(&subject.name, *terms));
            if is_new {
                check(&supervisor, &loaded, &subject, allows)?;
            }
            let changes = changes(&supervisor, &loaded);
            Ok(Loaded { changes, edit: Some((subject, edit)), ..loaded })
        })
    }

    /// Takes in what was loaded that is not the manifest.
    pub(super) fn edit(
        &mut self,
        errand: Errand,
        loaded: Result<Loaded, Failure>,
        beside: &mut Beside,
    ) {
        match (errand, loaded) {
            (Errand::Order(order), Ok(loaded)) => self.order_is_loaded(order, loaded, beside),
            (Errand::Order(order), Err(failure)) => order.answer(Err(failure)),
            (Errand::Relay, Ok(loaded)) => {
                self.waiting.relay_failed = false;
                self.carry_out(loaded, (None, None), beside);
                self.waiting.reload |= self.refused;
            }
            (Errand::Relay, Err(failure)) => {
                tracing::error!("an edit cannot be taken back yet: {failure}");
                self.waiting.relay = Some(Instant::now() + RELAY_AGAIN);
                self.waiting.relay_failed = true;
            }
            // That is for who takes in manifests.
            (Errand::Manifest, _) => {}
        }
    }

    fn order_is_loaded(&mut self, order: Box<Order>, mut loaded: Loaded, beside: &mut Beside) {
        let Some((subject, edit)) = loaded.edit.take() else { return };
        let request = &order.request;
        let is_rollback = matches!(request.edit, Edit::Rollback { .. });
        let version = |edit: Option<&InForce>| edit.map(|edit| Arc::clone(&edit.version));
        let (revision, now) = self
            .edits
            .look(|book| (book.revision(), version(book.overlay().get(&subject).map(|it| &**it))));
        let same = if is_rollback { version(edit.as_ref()) == now } else { true };
        let unchanged = same && loaded.changes.is_empty();
        let notes = notes(&subject, edit.as_ref(), request.data);
        if unchanged || request.dry_run {
            let applied = Applied { steps: loaded.changes, ..Applied::default() };
            let (dry_run, watched) = (request.dry_run, false);
            let edited = Edited { revision, unchanged, dry_run, watched, applied, notes };
            return order.answer(Ok(edited));
        }
        // Who puts a provider in place although it is not well wants it to stay.
        // And what was written since its data moved would be lost with it.
        let is_meant = is_rollback
            || request.data.is_some()
            || request.force && subject.kind == ComponentKind::Provider;
        let terms = Terms::of(request.watch).ok().flatten().filter(|_| !is_meant);
        let fared = match edit.as_ref().and_then(|edit| edit.watched) {
            Some((_, fared)) => fared,
            None => self.host.supervisor().tally(subject.as_pair()).unwrap_or_default(),
        };
        let watched = terms.map(|terms| (terms, fared));
        let edit = edit.map(|edit| InForce { watched, ..edit });
        let what = edit.as_ref().map(|edit| edit.version.what.clone());
        let by = if is_rollback { ChangedBy::Rollback } else { ChangedBy::Edit };
        let change = Change { by, steps: &loaded.changes, at_unix_s: SystemClock.now_unix_s() };
        let revision = self.edits.look(|book| {
            let revision = book.put(&change, &subject, edit);
            if is_rollback || request.force {
                book.allow_older(&subject);
            }
            revision
        });
        let what = what.as_deref().unwrap_or("as the manifest says");
        tracing::info!("revision {revision}: {subject} is to be {what}");
        let answering = Answering { order, revision, notes };
        self.carry_out(loaded, (None, Some(answering)), beside);
        // What was in the way of it may have been an edit.
        self.waiting.reload |= self.refused;
    }

    /// What was wanted by a revision was tried: edits that could not be had are taken back, and the
    /// others watched.
    pub(super) fn settle(
        &mut self,
        (revision, answering): (u64, Option<Answering>),
        applied: &Applied,
        beside: &mut Beside,
    ) {
        let settled = self.edits.look(|book| book.settle(&applied.faults, revision));
        let mut watched = Vec::new();
        for edit in settled {
            if let Some(why) = &edit.failed {
                self.take_back(edit.revision, (TakenBack::NotHad, why));
            } else if let Some(terms) = edit.watched {
                watched.push(edit.revision);
                let (edits, revision) = (self.edits.clone(), edit.revision);
                let is_open = move || edits.look(|book| book.is_open(revision));
                let watch = watch(self.host.supervisor().clone(), edit.subject, terms, is_open);
                beside.watching.spawn(async move { (revision, watch.await) });
            }
        }
        if let Some(answering) = answering {
            let is_watched = watched.contains(&answering.revision);
            answering.answer(applied.clone(), is_watched);
        }
    }

    /// A watch ended.
    pub(super) fn judged(&mut self, (revision, verdict): (u64, Verdict)) {
        match verdict {
            Verdict::Good => self.edits.look(|book| book.stays(revision)),
            Verdict::Bad(why) => self.take_back(revision, (TakenBack::DidWorse, &why)),
        }
    }

    /// Takes an edit back, unless something else is in force there by now.
    fn take_back(&mut self, revision: u64, why: (TakenBack, &str)) {
        let now = SystemClock.now_unix_s();
        if self.edits.look(|book| book.take_back(revision, why, now)).is_some() {
            self.host.metrics().taken_back();
            self.waiting.relay = Some(Instant::now());
        }
    }

    /// The host ends, and with it what runs by edits.
    pub(super) fn tell_of_edits(&self) {
        let edits = self.edits.look(|book| book.entries().edits);
        edits.iter().for_each(|EditEntry { kind, name, what, .. }| {
            tracing::warn!("{kind} {name} is {what} by an edit, which the next start forgets");
        });
    }

    /// Something newer is about to be loaded in the place of what was being loaded.
    pub(super) fn give_way(&mut self, was_loading: bool) {
        match std::mem::take(&mut self.errand) {
            Errand::Order(order) if was_loading => self.waiting.order = Some(order),
            Errand::Relay if was_loading => self.waiting.relay = Some(Instant::now()),
            _ => {}
        }
    }

    /// Goes on with what is being loaded, or begins with what waits.
    pub(super) fn go_on(&mut self, loading: Option<Loading>) -> Option<Loading> {
        let relays = self.waiting.relay.is_some_and(|at| at <= Instant::now());
        if let Some(loading) = loading {
            // What could not be prepared before waits for a manifest, which may be the cure.
            let waits = self.waiting.relay_failed && matches!(self.errand, Errand::Manifest);
            if !relays || waits || !loading.may_be_dropped() {
                return Some(loading);
            }
            self.waiting.reload |= matches!(self.errand, Errand::Manifest);
            self.give_way(true);
        }
        if relays {
            return self.relay();
        }
        if std::mem::take(&mut self.waiting.reload) {
            return Some(self.reload(None));
        }
        let order = self.waiting.order.take()?;
        self.begin(*order)
    }

    /// Loads the manifest that is applied, with the edits as they are now. What is on the disk by
    /// now may be wrong, and is not asked.
    fn relay(&mut self) -> Option<Loading> {
        self.waiting.relay = None;
        let base = self.base.clone()?;
        self.errand = Errand::Relay;
        let (loader, edits) = (Arc::clone(&self.loader), self.edits.clone());
        Some(Loading::begin(None, Progress::from_rest(), async move {
            let (overlay, forced) = edits.look(|book| {
                let forced: Vec<_> = book.older().cloned().collect();
                (book.overlay().clone(), forced)
            });
            // What is gone back to ran before.
            loader.prepare_again(&base, &forced, &overlay).await
        }))
    }
}

/// What an edit brings, with its file where nobody changes it.
async fn version(
    loader: &Arc<Loader>,
    (next, former, origin): (Next, Option<Arc<Version>>, u64),
    (entry, base): (&Entry, &Base),
) -> Result<Option<Arc<Version>>, Failure> {
    let Next::New { replacement, what, keeps } = next else { return Ok(former) };
    let (entry, cache) = (entry.clone(), loader.cache(&base.manifest));
    let keeping = spawn_blocking(move || kept(replacement, &entry, cache.as_deref()));
    let kept = keeping.await.unwrap_or_else(|_| {
        Err(CallError::new(Code::Internal, "the host failed on an edit; its log says why"))
    });
    let (replacement, file) = kept.map_err(|error| Failure::call("the edit", error))?;
    Ok(Some(Arc::new(Version { replacement, file, what, keeps, origin })))
}

/// Whether a new version may follow.
fn check(
    supervisor: &Supervisor,
    loaded: &Loaded,
    subject: &Subject,
    allows: Allowances,
) -> Result<(), Failure> {
    let checked = supervisor.check_follows(&loaded.prepared, subject.as_pair(), allows);
    checked.map_err(|error| {
        let help = match error.code() {
            Code::Denied => "if that is meant, ask with `--allow-more-capabilities`".to_owned(),
            code => format!("if that is meant, ask with `--force`. Else: {}", code.cure()),
        };
        Failure::call(subject.to_string(), error).help(help)
    })
}

/// The file that an entry of the manifest names, as it is now.
async fn file_of(loader: Arc<Loader>, entry: Entry) -> Option<(PathBuf, Stamp)> {
    let mut alone = Manifest::default();
    match entry {
        Entry::Actor(spec) => alone.actors.push(Spanned::new(spec, Span::default())),
        Entry::Provider(spec) => alone.providers.push(Spanned::new(spec, Span::default())),
    }
    let looking = spawn_blocking(move || {
        let path = loader.files(&alone).pop()?;
        let stamp = Stamp::from(&path.metadata().ok()?);
        Some((path, stamp))
    });
    looking.await.ok().flatten()
}

/// The file that somebody named.
fn named_by(next: &Next) -> Option<String> {
    match next {
        Next::New { replacement, .. } => file_in(replacement),
        Next::Former(_) => None,
    }
}

fn file_in(replacement: &Replacement) -> Option<String> {
    replacement.file().map(str::to_owned)
}

/// Why an edit cannot be made: in the words of whoever asked, who knows of no copy.
fn told(
    failure: &Failure,
    subject: &Subject,
    (copy, named): (Option<String>, Option<String>),
) -> Failure {
    let Failure::Manifest(report) = failure else {
        return Failure::call(subject.to_string(), CallError::new(failure.code(), failure.told()));
    };
    let of_copy = |message: &str| copy.as_ref().is_some_and(|copy| message.contains(&**copy));
    let problems = report.problems();
    let problem = problems.iter().find(|it| of_copy(&it.message)).or_else(|| problems.first());
    let Some(problem) = problem else {
        return Failure::call(subject.to_string(), CallError::new(failure.code(), failure.told()));
    };
    let own = |text: &str| match (&copy, &named) {
        (Some(copy), Some(named)) => text.replace(&**copy, named),
        _ => text.to_owned(),
    };
    let error = CallError::new(problem.code, own(&problem.message));
    let failure = Failure::call(subject.to_string(), error);
    match &problem.help {
        Some(help) => failure.help(own(help)),
        None => failure,
    }
}
