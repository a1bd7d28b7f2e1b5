//! From a manifest as written to a manifest as it can run, or everything that is wrong with it.

mod actors;
mod archives;
mod bindings;
mod callees;
mod circles;
mod context;
mod doubtful;
mod ending;
mod images;
mod kept;
mod keys;
mod known;
mod last_runs;
mod limits;
mod locate;
mod located;
mod losses;
mod meaning;
mod module_providers;
mod modules;
mod parts;
mod places;
mod processes;
mod proof;
mod providers;
mod rights;
mod serving;
mod stopped;
mod stores;
mod unbound;
mod values;
mod warning;

use trellis_manifest::{Manifest, Report, SourceText};

pub use context::{Lacks, PrepareContext};
pub use kept::{Kept, Part, Parts};
pub use known::{Archives, LastRun, LastRuns, Modules, Stores};
pub use located::Images;
pub use meaning::{Came, Meaning};
pub use parts::Prepared;
pub(crate) use parts::{PreparedActor, PreparedBinding, PreparedProvider, is_same};
pub(crate) use places::Places;
pub use rights::Rights;
pub(crate) use rights::callees;
pub(crate) use stopped::Stopped;
pub use warning::Warning;

/// Checks a manifest against its modules and this host's providers.
///
/// Modules are read and verified on threads that may block; dropping the future abandons them.
///
/// # Errors
/// A [`Report`] with every problem at its place in the manifest.
pub async fn prepare(
    manifest: &Manifest,
    source: &SourceText,
    context: &PrepareContext<'_>,
) -> Result<Prepared, Report> {
    let mut problems: Vec<_> = images::check_registries(manifest).collect();
    let modules = modules::verify_all(manifest, context).await;
    let mut actors = actors::prepare(manifest, modules.actors, context, &mut problems);
    let served = module_providers::find(manifest, modules.providers, context).await;
    let mut providers = providers::prepare(manifest, served, context, &mut problems).await;
    module_providers::check_names(manifest, &actors, &mut problems);
    let mut bindings = bindings::prepare(manifest, &actors, &mut providers, context, &mut problems);
    let mut providers = providers.known;
    circles::check(&providers, &bindings, &mut problems);
    let mut notes = Vec::new();
    let wanted = (&mut providers, &mut *bindings);
    values::prepare((manifest, source), wanted, context, (&mut problems, &mut notes)).await;
    let mut runs = last_runs::of(&actors, &bindings);
    stores::note(&mut runs, &bindings, &providers);
    keys::note(&mut runs, &actors);
    let mut warnings = losses::note(manifest, &mut actors, context);
    warnings.extend(stores::warnings(&bindings, &runs, &context.last_runs));
    let bindings: Vec<_> = bindings.into_iter().map(|written| written.binding).collect();
    warnings.extend(images::warnings(manifest, (&actors, &providers)));
    warnings.extend(processes::warnings(manifest, context));
    warnings.extend(unbound::warnings(manifest, (&actors, &bindings), &providers, context));
    warnings.extend(callees::warnings(manifest, &actors));
    warnings.extend(limits::warnings(manifest, (&actors, &bindings)));
    warnings.extend(doubtful::warnings(manifest, &actors));
    let now_unix_s = context.clock.now_unix_s();
    warnings.extend(ending::warnings(manifest, (&actors, &providers), now_unix_s));
    for changed in keys::changed((manifest, &actors), &runs, context) {
        match changed.allowed(context.force) {
            Ok(warning) => warnings.push(warning),
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(Report::of(source, problems));
    }
    let images = images::notes(manifest, (&actors, &providers));
    let actors: Vec<_> = actors.into_iter().flatten().collect();
    let providers = providers.into_values().collect();
    let names = actors.iter().map(|actor: &PreparedActor| &actor.name);
    let places = Places::of(names, bindings.iter().map(PreparedBinding::identity));
    let stopped = Stopped::default();
    Ok(Prepared { actors, providers, bindings, places, runs, warnings, notes, images, stopped })
}
