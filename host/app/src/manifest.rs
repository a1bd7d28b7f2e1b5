//! The manifest as a file among files: read, resolved against its folder, prepared.
//!
//! In two steps, so that a host can act in between: the text with whom it trusts, then everything
//! the text names. Both run on threads that may block, and dropping a step abandons it.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::task::spawn_blocking;
use trellis_claims::{SystemClock, TrustList};
use trellis_core::{CallError, Code, ErrorKind as Kind};
use trellis_engine::Checker;
use trellis_manifest::{
    Format, Manifest, Problem, ReadableTrust, Report, SourceText, readable_trust,
};
use trellis_providers_sdk::ProviderFactory;
use trellis_supervisor::{ActorKeys, Modules, PrepareContext, Prepared, prepare};

use crate::args::HostArgs;
use crate::failure::Failure;
use crate::providers::builtins;
use crate::record::KeyRecord;
use crate::trust::{self, OwnIssuer};

/// What a manifest is loaded for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum For {
    /// To be run; what starting finds out anyway is left to it.
    Running,
    /// To be told what is wrong with it.
    Checking,
}

/// Reads one manifest again and again, and remembers what did not change.
pub(crate) struct Loader {
    path: PathBuf,
    allow_unsigned: bool,
    force: bool,
    builtins: Vec<Arc<dyn ProviderFactory>>,
    own: OwnIssuer,
    modules: Modules,
    record: KeyRecord,
    /// The last text that could be read, and what it means.
    text: Mutex<Option<(SourceText, Arc<Manifest>)>>,
    /// The trust list of the last text that was right.
    trust: Mutex<TrustList>,
}

/// The text of a manifest, and what it means as far as the text alone can tell.
pub(crate) struct Written {
    /// What it means, or everything that is wrong with the text.
    pub(crate) manifest: Result<Meant, Failure>,
    /// Whom to hold against what runs; as much of it as can be read from a wrong text.
    pub(crate) trust: TrustList,
}

/// A text that is right.
pub(crate) struct Meant {
    pub(crate) manifest: Arc<Manifest>,
    source: SourceText,
    /// Keys under `trust` that are none.
    wrong_keys: Vec<Problem>,
}

/// A manifest that can run here, with what the rim needs to know of it.
pub(crate) struct Loaded {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) prepared: Prepared,
    /// What its owner may not have meant.
    pub(crate) warnings: Report,
}

impl Loader {
    /// Reads the manifest of these arguments, when asked to.
    pub(crate) fn new(args: &HostArgs) -> Arc<Self> {
        Arc::new(Self {
            path: args.manifest.clone(),
            allow_unsigned: args.allow_unsigned,
            force: args.force,
            builtins: builtins(),
            own: OwnIssuer::default(),
            modules: Modules::new(),
            record: KeyRecord::new(&args.manifest),
            text: Mutex::default(),
            trust: Mutex::default(),
        })
    }

    /// The manifest's folder, where its relative paths start.
    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// The files whose change is a change of the application: the manifest, and the modules it
    /// names.
    pub(crate) fn files(&self, manifest: Option<&Manifest>) -> Vec<PathBuf> {
        let actors = manifest.iter().flat_map(|manifest| &manifest.actors);
        let images = actors.map(|actor| self.folder().join(&actor.value.image.value));
        std::iter::once(self.path.clone()).chain(images).collect()
    }

    /// Reads the text.
    ///
    /// # Errors
    /// That it cannot be read at all, or not whom it trusts.
    pub(crate) async fn read(self: &Arc<Self>) -> Result<Written, Failure> {
        let loader = Arc::clone(self);
        aside(move || loader.read_here()).await?
    }

    /// Checks everything a right text names.
    ///
    /// # Errors
    /// Every problem at once.
    pub(crate) async fn prepare(&self, text: Meant, purpose: For) -> Result<Loaded, Failure> {
        let Meant { manifest, source, wrong_keys } = text;
        let checker = match purpose {
            For::Running => None,
            For::Checking => {
                let checker = Checker::new();
                let checker = checker.map_err(|error| Failure::call("checking modules", error))?;
                Some(Arc::new(checker))
            }
        };
        let trust = self.trust.lock().clone();
        let context = PrepareContext {
            modules: self.modules.clone(),
            checker,
            keys: self.record.keys(),
            force: self.force,
            ..PrepareContext::new(self.folder(), &self.builtins, &trust, Arc::new(SystemClock))
        };
        let prepared = prepare(&manifest, &source, &context).await;
        if !wrong_keys.is_empty() {
            return Err(wrong(with_problems(&source, wrong_keys, prepared.err())));
        }
        let prepared = prepared.map_err(wrong)?;
        let warnings = Report::of(&source, prepared.warnings().to_vec());
        Ok(Loaded { manifest, prepared, warnings })
    }

    /// Remembers the keys of actors that run now, for this host and for the next one. Waits for no
    /// disk.
    pub(crate) fn remember(&self, keys: ActorKeys) {
        self.record.keep(keys);
    }

    /// Waits until what is remembered is written.
    pub(crate) async fn remembered(&self) {
        self.record.written().await;
    }

    /// Whom to hold against what runs before the keystore is asked; `None` when it need not be, or
    /// nothing can be read.
    pub(crate) async fn revocations(self: &Arc<Self>) -> Option<TrustList> {
        let loader = Arc::clone(self);
        let read = move || {
            let bytes = read_file(&loader.path).ok()?;
            let name = loader.path.display().to_string();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let source = SourceText::new(name, text, Format::of_path(&loader.path));
            let readable = readable_trust(&source, &environment);
            let asks = readable.issuers.is_empty() && !readable.revoked.is_empty();
            asks.then(|| trust::of_wrong(&readable, &loader.trust.lock()))
        };
        aside(read).await.ok()?
    }

    fn read_here(&self) -> Result<Written, Failure> {
        self.record.read();
        let name = self.path.display().to_string();
        let bytes = read_file(&self.path).map_err(|error| unreadable(&name, &error))?;
        let format = Format::of_path(&self.path);
        let source = match SourceText::from_bytes(&name, bytes.clone(), format) {
            Ok(source) => source,
            Err(report) => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                return Ok(self.wrong(&SourceText::new(name, text, format), report));
            }
        };
        match self.understand(&source) {
            Ok(manifest) => self.right(source, manifest),
            Err(report) => Ok(self.wrong(&source, report)),
        }
    }

    /// A text that did not change means what it meant: the environment of a process stands still.
    fn understand(&self, source: &SourceText) -> Result<Arc<Manifest>, Report> {
        let mut known = self.text.lock();
        if let Some((text, manifest)) = &*known
            && text == source
        {
            return Ok(Arc::clone(manifest));
        }
        let manifest = Arc::new(trellis_manifest::read(source, &environment)?);
        *known = Some((source.clone(), Arc::clone(&manifest)));
        Ok(manifest)
    }

    fn right(&self, source: SourceText, manifest: Arc<Manifest>) -> Result<Written, Failure> {
        let spec = &manifest.trust;
        let unsigned = self.allow_unsigned || spec.unsigned;
        if unsigned {
            tracing::warn!("unsigned modules are admitted; for development only");
        }
        let caps = unsigned.then(|| self.builtin_capabilities());
        // Before the lock: a keystore that hangs must not hold back what needs no keystore.
        let own = if spec.issuers.is_empty() { self.own.read() } else { Ok(None) };
        let mut known = self.trust.lock();
        let own = match own {
            Ok(own) => own,
            Err(failure) => {
                let readable =
                    ReadableTrust { issuers: spec.issuers.clone(), revoked: spec.revoked.clone() };
                let trust = trust::of_wrong(&readable, &known);
                return Ok(Written { manifest: Err(failure), trust });
            }
        };
        let trust::Read { list, problems } = trust::of_right(spec, own.as_ref(), caps, &known)?;
        if problems.is_empty() {
            known.clone_from(&list);
        }
        let text = Meant { manifest, source, wrong_keys: problems };
        Ok(Written { manifest: Ok(text), trust: list })
    }

    /// What an unsigned module may use in development: whatever this host has.
    fn builtin_capabilities(&self) -> Vec<String> {
        let contracts =
            |factory: &Arc<dyn ProviderFactory>| factory.descriptor().contracts.into_owned();
        let contracts = self.builtins.iter().flat_map(contracts);
        contracts.map(|contract| contract.id.to_string()).collect()
    }

    fn wrong(&self, source: &SourceText, report: Report) -> Written {
        let readable = readable_trust(source, &environment);
        let trust = trust::of_wrong(&readable, &self.trust.lock());
        Written { manifest: Err(wrong(report)), trust }
    }
}

/// Wrong keys, and what else is wrong. Refused modules are left out: a wrong key may be the reason.
fn with_problems(source: &SourceText, mut problems: Vec<Problem>, more: Option<Report>) -> Report {
    let more = more.iter().flat_map(Report::problems);
    problems.extend(more.filter(|more| more.code.kind() != Kind::Denied).cloned());
    Report::of(source, problems)
}

/// One byte more than a manifest may have tells that it is too large; a pipe is read as well.
fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let bytes_max = trellis_manifest::BYTES_MAX as u64;
    File::open(path)?.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(name: &str, error: &std::io::Error) -> Failure {
    let code = match error.kind() {
        ErrorKind::NotFound => Code::NotFound,
        _ => Code::Storage,
    };
    Failure::call(name, CallError::new(code, format!("the manifest cannot be read: {error}")))
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Works on a thread that may block.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    spawn_blocking(work).await.map_err(|error| {
        let message = format!("reading it failed inside the host: {error}");
        Failure::call("the manifest", CallError::new(Code::Internal, message))
    })
}

fn wrong(report: Report) -> Failure {
    Failure::Manifest(Box::new(report))
}
