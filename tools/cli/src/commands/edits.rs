//! What all commands share that change what a host runs.

use std::fmt;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde::Serialize;
use trellis_app::AdminClient;
use trellis_artifacts::is_like_an_image;
use trellis_control::{
    Answer, Applied, DataTerms, Edit, EditRequest, Edited, Edits, Moved, Revision, RevisionOutcome,
    WatchTerms, for_everybody,
};
use trellis_core::Code;

use super::call::timeout;
use super::get::odd;
use super::host::HostChoice;
use super::runtime;
use crate::clean::clean;
use crate::failure::Failure;
use crate::output::Output;

/// Pause between two looks at what became of an edit.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How an edit is made and waited for.
#[derive(Args, Debug)]
pub(crate) struct EditArgs {
    /// Only says what would change.
    #[arg(long)]
    dry_run: bool,

    /// Does not wait until it is known whether the edit stays: only until it was made.
    #[arg(long)]
    no_wait: bool,

    /// Longest wait. The host goes on when it is over.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = timeout)]
    timeout: Duration,

    /// Only if what is wanted is still at this revision, by its number or its ETag, which no other
    /// start of the host has; without it, at the one it has now, and a stop at any.
    #[arg(long, value_name = "REVISION", value_parser = made_for)]
    if_revision: Option<MadeFor>,

    #[command(flatten)]
    host: HostChoice,
}

/// What an edit was made for.
#[derive(Clone, PartialEq, Eq, Debug)]
enum MadeFor {
    /// A revision since the host started.
    Number(u64),
    /// One of a certain start.
    Tag(String),
}

impl EditArgs {
    /// The ETag of what is wanted that an edit is made for; `None` where it does not matter.
    async fn made_for(&self, client: &AdminClient, edit: &Edit) -> Result<Option<String>, Failure> {
        match (&self.if_revision, edit) {
            (Some(MadeFor::Tag(tag)), _) => return Ok(Some(tag.clone())),
            // It means the same whatever else is wanted by now, and may be meant to end trouble.
            (None, Edit::Stop { .. }) => return Ok(None),
            (Some(MadeFor::Number(_)) | None, _) => {}
        }
        let Answer::Edits(edits) = client.get(&["edits"]).await? else { return Err(odd()) };
        Ok(Some(match self.if_revision {
            Some(MadeFor::Number(revision)) => edits.etag_at(revision),
            _ => edits.etag,
        }))
    }
}

fn made_for(text: &str) -> Result<MadeFor, String> {
    match (text.parse(), Edits::read_etag(text)) {
        (Ok(revision), _) => Ok(MadeFor::Number(revision)),
        (Err(_), Some(_)) => Ok(MadeFor::Tag(text.to_owned())),
        (Err(_), None) => Err("give a revision of `trellis history`, or an ETag".to_owned()),
    }
}

/// What may be forced, and when an edit is taken back.
#[derive(Args, Debug)]
pub(super) struct UpdateTerms {
    /// Also another key, an older revision, or a provider that is not well.
    #[arg(long)]
    pub(super) force: bool,

    /// Also with more capabilities than the version before has.
    #[arg(long)]
    pub(super) allow_more_capabilities: bool,

    /// Watches so many calls at most; 0 for none. The host's default is 100.
    #[arg(long, value_name = "CALLS")]
    watch_calls: Option<u64>,

    /// Watches for so long at most. The host's default is 10s.
    #[arg(long, value_name = "TIME", value_parser = timeout)]
    watch_time: Option<Duration>,

    /// Takes the update back when more calls of a hundred fail. The host's default is 50.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(..=100))]
    max_errors: Option<u8>,
}

/// What is to become of what a provider keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Data {
    /// It is copied to the one that follows, which must hold nothing.
    Copy,
    /// It is copied, and what the other one holds is thrown away for that.
    Replace,
}

impl From<Data> for DataTerms {
    fn from(data: Data) -> Self {
        match data {
            Data::Copy => Self::Copy,
            Data::Replace => Self::Replace,
        }
    }
}

/// What is printed of an edit.
#[derive(Serialize)]
struct Made {
    edited: Edited,
    /// What became of it by now.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<Revision>,
    /// What is so if nothing comes of it.
    #[serde(skip)]
    goes_on: &'static str,
}

impl UpdateTerms {
    /// An edit with these terms.
    pub(super) fn request(&self, edit: Edit) -> EditRequest {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        EditRequest {
            edit,
            force: self.force,
            allow_more_capabilities: self.allow_more_capabilities,
            dry_run: false,
            data: None,
            watch: WatchTerms {
                calls: self.watch_calls,
                time_ms: self.watch_time.map(millis),
                errors_percent: self.max_errors,
            },
            replay: None,
        }
    }
}

/// An edit that needs no terms.
pub(super) fn plain(edit: Edit) -> EditRequest {
    let (force, allow_more_capabilities, dry_run) = (false, false, false);
    let (data, watch, replay) = (None, WatchTerms::default(), None);
    EditRequest { edit, force, allow_more_capabilities, dry_run, data, watch, replay }
}

/// Has a host make an edit, waits for what becomes of it, and says so.
pub(super) fn make(request: EditRequest, args: &EditArgs, output: Output) -> Result<(), Failure> {
    let request = EditRequest { dry_run: args.dry_run, ..request };
    let made = runtime::block_on(async {
        let until = Instant::now() + args.timeout;
        let client = args.host.client(output).await?;
        let made_for = args.made_for(&client, &request.edit).await?;
        let patience = until.saturating_duration_since(Instant::now());
        let answer = client.edit(&request, made_for.as_deref(), patience).await;
        let edited = match answer {
            Ok(Answer::Edited(edited)) => *edited,
            Ok(_) => return Err(odd()),
            Err(_) if Instant::now() >= until => return Err(late()),
            Err(error) => return Err(error.into()),
        };
        let changed = !edited.unchanged && !edited.dry_run;
        let revision = match (changed, args.no_wait) {
            (true, false) => Some(settled(&client, edited.revision, until).await?),
            // What failed already is told.
            (true, true) => known(&client, edited.revision).await?,
            (false, _) => None,
        };
        let goes_on = match &request.edit {
            Edit::Start { .. } => "It does not run, as before",
            _ => "What ran before goes on",
        };
        Ok(Made { edited, revision, goes_on })
    })?;
    // They are of an edit that is in force, or would be.
    if let Some(failure) = made.failure() {
        return Err(failure);
    }
    made.edited.notes.iter().for_each(|note| output.note(format_args!("note: {note}")));
    if made.edited.watched && args.no_wait {
        output.note("note: it is watched now, and may be taken back; `trellis history` tells");
    }
    output.show(&made)
}

/// What became of a revision, once nothing else will.
///
/// # Errors
/// When that takes too long, or the host does not know it any more: then nobody knows it.
async fn settled(client: &AdminClient, revision: u64, until: Instant) -> Result<Revision, Failure> {
    loop {
        let own = known(client, revision).await?.ok_or_else(|| forgotten(revision))?;
        if own.outcome.is_final() {
            return Ok(own);
        }
        if Instant::now() >= until {
            return Err(late());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What is known of a revision now.
async fn known(client: &AdminClient, revision: u64) -> Result<Option<Revision>, Failure> {
    let Answer::History(history) = client.get(&["history"]).await? else { return Err(odd()) };
    Ok(history.into_iter().find(|it| it.revision == revision))
}

/// So many changes were made since that the host forgot this one; or it started anew.
fn forgotten(revision: u64) -> Failure {
    let text =
        format!("it is not known what became of the edit: the host has no revision {revision}");
    let failure = Failure::new(Code::Timeout, text);
    failure.cure(
        "It was made, and may have been taken back since. `trellis get actors` and `trellis get \
         providers` tell what runs, and `trellis history` what changed.",
    )
}

fn late() -> Failure {
    let failure = Failure::new(Code::Timeout, "it is not known yet what becomes of the edit");
    failure.cure("The host goes on with it: `trellis history` tells. `--timeout` waits for longer.")
}

impl Made {
    /// That it could not be had, or was taken back.
    fn failure(&self) -> Option<Failure> {
        let Applied { faults, .. } = &self.edited.applied;
        let own = self.revision.as_ref();
        let taken_back = own.filter(|it| it.outcome == RevisionOutcome::TakenBack);
        let cure = &*format!(
            "{}. `trellis history` shows what happened, and the host's log says more.",
            self.goes_on
        );
        let stays = own.filter(|it| it.outcome == RevisionOutcome::NotTakenBack);
        if let Some(stays) = stays {
            let text = stays.why.clone().unwrap_or_else(|| "it could not be taken back".to_owned());
            let cure = "It runs on. Put another version in its place with `trellis update`, or one \
                        of those in `trellis history` with `trellis rollback NAME --to REVISION`.";
            return Some(Failure::new(Code::Guest, text).cure(cure));
        }
        // What else fails on this host is told as well, and is nothing of this.
        let is_why = |why: &str| faults.iter().find(|it| for_everybody(&it.to_string()) == why);
        let code_of = |why: &str| is_why(why).map_or(Code::Guest, |fault| fault.code);
        if let Some(own) = taken_back {
            let why = own.why.as_deref().unwrap_or("it does worse than what it replaced");
            let text = format!("revision {} was taken back: {why}", own.revision);
            return Some(Failure::new(code_of(why), text).cure(cure));
        }
        // Nobody waits until it was taken back.
        let goes = own.filter(|it| it.outcome == RevisionOutcome::Applying);
        if let Some((own, why)) = goes.and_then(|own| Some((own, own.why.as_deref()?))) {
            let text = format!("revision {} is being taken back: {why}", own.revision);
            return Some(Failure::new(code_of(why), text).cure(cure));
        }
        let subject = own.and_then(|own| own.subject.clone());
        let failed = own.filter(|it| it.outcome == RevisionOutcome::Failed);
        let fault = match failed.map(|own| own.why.as_deref()) {
            Some(why) => why.and_then(is_why).or_else(|| faults.first()),
            None => faults.iter().find(|it| Some(&it.what) == subject.as_ref()),
        };
        fault.map(|fault| Failure::new(fault.code, fault.to_string()).cure(cure))
    }
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Edited { revision, unchanged, dry_run, applied, .. } = &self.edited;
        if *unchanged {
            return writeln!(f, "unchanged (revision {revision})");
        }
        for step in &applied.steps {
            let told = if *dry_run { format!("would {step}") } else { step.done() };
            writeln!(f, "{}", clean(&told))?;
        }
        for moved in &applied.moved {
            let Moved { provider, keys, bytes, time_ms } = moved;
            let provider = clean(provider);
            writeln!(f, "copied {keys} keys ({bytes} bytes) of {provider} in {time_ms} ms")?;
        }
        // Its own would have failed it.
        for fault in &applied.faults {
            let fault = clean(&fault.to_string());
            writeln!(f, "not of this edit, and tried again beside it: {fault}")?;
        }
        if !*dry_run {
            writeln!(f, "revision {revision}")?;
        }
        if let Some(seen) = self.revision.as_ref().and_then(|it| it.seen) {
            writeln!(f, "it stays: {seen}")?;
        }
        Ok(())
    }
}

/// What a provider is to be, with an absolute path.
pub(super) fn implementation(to: &str) -> Result<String, Failure> {
    match to.split_once(':') {
        Some((kind @ ("module" | "archive" | "process"), path)) if path.contains(['/', '.']) => {
            Ok(format!("{kind}:{}", absolute(path)?))
        }
        _ => Ok(to.to_owned()),
    }
}

/// A path as the host can read it, which works in another folder.
pub(super) fn absolute(named: &str) -> Result<String, Failure> {
    if is_like_an_image(named) {
        return Ok(named.to_owned());
    }
    let path = std::path::absolute(named);
    let path = path.map_err(|error| Failure::file(format!("{named} is no path"), &error))?;
    path.into_os_string().into_string().map_err(|_| Failure::usage("the path is no text"))
}

pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_made_absolute_and_an_image_is_not() {
        let here = std::env::current_dir().expect("a folder").display().to_string();
        for (to, found) in [
            ("builtin:keyvalue-redis", "builtin:keyvalue-redis".to_owned()),
            ("module:./geo.wasm", format!("module:{here}/./geo.wasm")),
            ("module:localhost:5000/geo:1", "module:localhost:5000/geo:1".to_owned()),
            ("archive:/srv/geo.par", "archive:/srv/geo.par".to_owned()),
            ("process:geo", "process:geo".to_owned()),
            ("geo", "geo".to_owned()),
        ] {
            let named = implementation(to).unwrap_or_else(|failure| panic!("{failure}"));
            assert_eq!(named.replace("/./", "/"), found.replace("/./", "/"), "{to}");
        }
    }

    #[test]
    fn a_value_may_have_any_letters_but_its_key_is_needed() {
        let read = |text| pair(text).ok();
        assert_eq!(read("URL=a=b"), Some(("URL".to_owned(), "a=b".to_owned())));
        assert_eq!(read("URL="), Some(("URL".to_owned(), String::new())));
        assert_eq!((read("=a"), read("URL")), (None, None));
    }
}
