//! A folder with signed modules and a manifest, and a host that runs them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, anyhow, ensure};
use tempfile::TempDir;
use trellis_app::{Host, HostConfig};
use trellis_claims::{ClaimsDraft, KeyKind, KeyPair, PublicKey, SystemClock, TrustList};
use trellis_engine::{CacheConfig, Compiler, EngineConfig};
use trellis_manifest::{Format, SourceText};
use trellis_providers_sdk::ProviderFactory;
use trellis_supervisor::{ApplyOptions, Modules, PrepareContext, Prepared};

use super::echo;

/// The argument with which this program is its own compiler.
pub const COMPILE: &str = "compile";

/// One actor of the manifest.
pub(super) struct Actor<'a> {
    pub(super) name: &'a str,
    pub(super) module: &'a [u8],
    pub(super) isolation: &'a str,
}

/// A folder with modules, signed by its own account.
pub(super) struct Ground {
    folder: TempDir,
    account: KeyPair,
    /// The keys of the actors, by name.
    subjects: Mutex<BTreeMap<String, PublicKey>>,
    actors: Mutex<String>,
    bindings: Mutex<String>,
    /// What was read and verified before, as a host keeps it.
    modules: Modules,
}

impl Ground {
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            folder: TempDir::new().context("making a folder")?,
            account: KeyPair::generate(KeyKind::Account),
            subjects: Mutex::default(),
            actors: Mutex::default(),
            bindings: Mutex::default(),
            modules: Modules::new(),
        })
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Trusts this ground's account.
    pub(super) fn trust(&self) -> Result<TrustList> {
        Ok(TrustList::new(0).trust(self.account.public())?)
    }

    /// Signs an actor, names it in the manifest and binds it to the echo provider.
    pub(super) fn add(&self, actor: &Actor<'_>) -> Result<()> {
        let Actor { name, isolation, .. } = actor;
        self.put(actor)?;
        let mut actors = self.actors.lock().map_err(poisoned)?;
        writeln!(actors, "  - {{image: {name}.wasm, name: {name}, isolation: {isolation}}}")?;
        let mut bindings = self.bindings.lock().map_err(poisoned)?;
        writeln!(bindings, "  - {{actor: {name}, capability: \"{}\"}}", echo::CAPABILITY)?;
        Ok(())
    }

    /// Signs an actor's module and puts it where the manifest names it. The actor keeps its key.
    pub(super) fn put(&self, actor: &Actor<'_>) -> Result<()> {
        let Actor { name, module, .. } = actor;
        let new = || KeyPair::generate(KeyKind::Module).public().clone();
        let mut subjects = self.subjects.lock().map_err(poisoned)?;
        let subject = subjects.entry((*name).to_owned()).or_insert_with(new);
        let caps = [echo::CAPABILITY.to_owned()];
        let signed = sign(module, (name, subject), &caps, &self.account)?;
        let image = self.folder.path().join(format!("{name}.wasm"));
        // Beside it and renamed, as `trellis sign` does: a file changes as a whole.
        let beside = image.with_extension("new");
        fs::write(&beside, signed)?;
        Ok(fs::rename(&beside, &image)?)
    }

    /// A host on which nothing runs yet.
    pub(super) fn host(&self, cache: Option<&Path>) -> Result<Host> {
        let cache = cache.map(|dir| CacheConfig::at(dir.to_owned()));
        // Like the `host` binary.
        let program = std::env::current_exe().context("finding this program")?;
        let compiler = Compiler::Child { program, args: vec![COMPILE.into()] };
        let engine = EngineConfig { cache, compiler, ..EngineConfig::default() };
        Ok(Host::build(HostConfig::new(engine))?)
    }

    /// Reads the manifest, verifies its modules and runs it, as `host --manifest` does.
    pub(super) async fn apply(&self, host: &Host) -> Result<()> {
        self.run(host, self.prepare(Modules::new()).await?).await
    }

    /// Reads the manifest and the modules that changed, as a host does that runs it already.
    pub(super) async fn reread(&self) -> Result<Prepared> {
        self.prepare(self.modules.clone()).await
    }

    async fn prepare(&self, modules: Modules) -> Result<Prepared> {
        let source = SourceText::new("bench.yaml", self.manifest()?, Format::Yaml);
        let manifest = trellis_manifest::read(&source, &|_| None).map_err(report)?;
        let trust = self.trust()?;
        let builtins: [Arc<dyn ProviderFactory>; 1] = [Arc::new(echo::Factory)];
        let clock = Arc::new(SystemClock);
        let context = PrepareContext {
            modules,
            ..PrepareContext::new(self.folder(), &builtins, &trust, clock)
        };
        trellis_supervisor::prepare(&manifest, &source, &context).await.map_err(report)
    }

    /// Makes the host run what was prepared.
    pub(super) async fn run(&self, host: &Host, prepared: Prepared) -> Result<()> {
        let applied = host.supervisor().apply(prepared, ApplyOptions::default()).await;
        ensure!(applied.faults.is_empty(), "{:?}", applied.faults);
        Ok(())
    }

    fn manifest(&self) -> Result<String> {
        let actors = self.actors.lock().map_err(poisoned)?;
        let bindings = self.bindings.lock().map_err(poisoned)?;
        Ok(format!(
            "name: bench\nactors:\n{actors}providers:\n  - builtin: bench-echo\n\
             bindings:\n{bindings}"
        ))
    }
}

fn report(report: trellis_manifest::Report) -> anyhow::Error {
    anyhow!("{report}")
}

fn poisoned<T>(_: PoisonError<T>) -> anyhow::Error {
    anyhow!("another thread failed")
}

/// Signs a module for the actor of that name and key.
pub(super) fn sign(
    module: &[u8],
    (name, subject): (&str, &PublicKey),
    caps: &[String],
    account: &KeyPair,
) -> Result<Vec<u8>> {
    let draft = ClaimsDraft {
        name: Some(name.to_owned()),
        caps: caps.to_vec(),
        ..ClaimsDraft::new(subject.clone())
    };
    Ok(trellis_claims::sign(module, &draft, account, &SystemClock)?)
}

/// Signs a module file with a new account; returns that account's public key.
///
/// # Errors
/// When a file cannot be read or written, or the module cannot carry claims.
pub fn sign_file(from: &Path, to: &Path, caps: &[String]) -> Result<String> {
    let account = KeyPair::generate(KeyKind::Account);
    let module = fs::read(from).with_context(|| format!("reading {}", from.display()))?;
    let name = to.file_stem().context("a file name")?.to_string_lossy();
    let subject = KeyPair::generate(KeyKind::Module);
    fs::write(to, sign(&module, (&name, subject.public()), caps, &account)?)?;
    Ok(account.public().to_string())
}
