//! A supervisor, and manifests for it.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinHandle;
use trellis_claims::{ClaimsDraft, FixedClock, TrustList};
use trellis_control::{Applied, Status};
use trellis_core::{CallError, Direction, Trace};
use trellis_dispatch::{Bounds, Dispatcher, Message};
use trellis_engine::{Engine, EngineConfig};
use trellis_entitlements::{AllowAll, AuthzRequest, Gate, LogAudit};
use trellis_manifest::{Format, Manifest, Report, SourceText};
use trellis_providers_sdk::ProviderFactory;
use trellis_supervisor::{
    ApplyOptions, LastRuns, Metrics, PrepareContext, Prepared, Supervisor, prepare,
};
use trellis_testkit::Account;

use crate::provider::{IMPLICIT, KEEPER, Kind, Script};

/// What time it is on the host's clock, in seconds since 1970.
pub(crate) const NOW_S: u64 = 1_700_000_000;

pub(crate) struct Stage {
    pub(crate) script: Script,
    pub(crate) supervisor: Supervisor,
    pub(crate) engine: Engine,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) account: Account,
    folder: tempfile::TempDir,
    pub(crate) clock: Arc<FixedClock>,
    builtins: Vec<Arc<dyn ProviderFactory>>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let script = Script::default();
        let kinds = [
            ("store", Direction::ToProvider),
            ("server", Direction::ToActor),
            (IMPLICIT, Direction::ToProvider),
            (KEEPER, Direction::ToProvider),
        ];
        let kind = |(name, direction)| -> Arc<dyn ProviderFactory> {
            Arc::new(Kind { name, direction, script: script.clone() })
        };
        let builtins = kinds.map(kind).to_vec();
        let gate = Gate::new(
            Box::new(AllowAll),
            Box::new(LogAudit::default()),
            trellis_entitlements::Metrics::default(),
        );
        let bounds = Bounds { call_time_max: Duration::from_secs(60), reply_bytes_max: 1 << 20 };
        let dispatcher =
            Arc::new(Dispatcher::new(gate, trellis_dispatch::Metrics::default(), bounds));
        let mut config = EngineConfig { instances_total_max: 16, ..EngineConfig::default() };
        config.caps.init_time_max = Duration::from_secs(600);
        let engine = Engine::new(config).expect("a small engine fits");
        let clock = Arc::new(FixedClock::at(NOW_S));
        let supervisor = Supervisor::start(
            engine.clone(),
            Arc::clone(&dispatcher),
            Arc::clone(&clock) as Arc<_>,
            Metrics::default(),
        );
        let folder = tempfile::tempdir().expect("a temporary folder");
        let account = Account::default();
        Self { script, supervisor, engine, dispatcher, account, folder, clock, builtins }
    }

    /// Puts a signed module in place that claims both contracts.
    pub(crate) fn put(&self, name: &str, module: &[u8]) {
        self.put_with(name, module, |draft| {
            draft.caps = vec!["test:store".to_owned(), "test:server".to_owned()];
        });
    }

    /// Puts a module in place that is signed with these claims.
    pub(crate) fn put_with(&self, name: &str, module: &[u8], claim: impl FnOnce(&mut ClaimsDraft)) {
        let mut draft = self.account.draft(name);
        claim(&mut draft);
        let path: PathBuf = self.folder.path().join(format!("{name}.wasm"));
        std::fs::write(path, self.account.sign(module, &draft)).expect("the folder is writable");
    }

    pub(crate) fn trust(&self) -> TrustList {
        TrustList::new(0).trust(self.account.issuer().public()).expect("an account may sign")
    }

    pub(crate) async fn prepare(&self, manifest: &str) -> Prepared {
        let prepared = self.check(manifest, LastRuns::new()).await;
        prepared.unwrap_or_else(|report| panic!("{report}"))
    }

    /// Prepares a manifest of actors of which this is known; none need be said when it is about
    /// providers alone.
    pub(crate) async fn check(
        &self,
        manifest: &str,
        last_runs: LastRuns,
    ) -> Result<Prepared, Report> {
        self.check_as(manifest, |context| PrepareContext { last_runs, ..context }).await
    }

    /// What a manifest means; none need be said of actors when it is about providers alone.
    pub(crate) fn read(&self, manifest: &str) -> Manifest {
        let read = trellis_manifest::read(&source(manifest), &|_| None);
        read.unwrap_or_else(|report| panic!("{report}"))
    }

    /// Prepares a manifest in such a context.
    pub(crate) async fn check_as(
        &self,
        manifest: &str,
        known: impl FnOnce(PrepareContext<'_>) -> PrepareContext<'_>,
    ) -> Result<Prepared, Report> {
        let source = source(manifest);
        let read = self.read(manifest);
        let trust = self.trust();
        let clock = Arc::clone(&self.clock) as Arc<_>;
        let context = PrepareContext::new(self.folder.path(), &self.builtins, &trust, clock);
        prepare(&read, &source, &known(context)).await
    }

    pub(crate) async fn apply(&self, manifest: &str) -> Applied {
        self.supervisor.apply(self.prepare(manifest).await, ApplyOptions::default()).await
    }

    /// Begins to apply a manifest.
    pub(crate) async fn begin(&self, manifest: &str) -> JoinHandle<Applied> {
        let prepared = self.prepare(manifest).await;
        let supervisor = self.supervisor.clone();
        tokio::spawn(async move { supervisor.apply(prepared, ApplyOptions::default()).await })
    }

    pub(crate) async fn force(&self, manifest: &str) -> Applied {
        let options = ApplyOptions { force: true, ..ApplyOptions::default() };
        self.supervisor.apply(self.prepare(manifest).await, options).await
    }

    /// Calls an actor, as the host does for its owner.
    pub(crate) fn call(
        &self,
        actor: &'static str,
    ) -> impl Future<Output = Result<Bytes, CallError>> + Send + 'static {
        let dispatcher = Arc::clone(&self.dispatcher);
        async move {
            let message = Message {
                payload: Bytes::new(),
                deadline: None,
                depth: 0,
                trace: Trace::default(),
            };
            let operation = &Cow::Borrowed("op");
            dispatcher.dispatch(AuthzRequest::FromSystem { actor, operation }, message).await
        }
    }

    pub(crate) fn status(&self) -> Status {
        self.supervisor.status().state.clone()
    }
}

fn source(manifest: &str) -> SourceText {
    let none = if manifest.contains("actors:") { "" } else { "actors: []\n" };
    let manifest = match manifest {
        "{}\n" => none.to_owned(),
        text => format!("{none}{text}"),
    };
    SourceText::new("manifest.yaml", manifest, Format::Yaml)
}

/// The steps that were done, as the log has them.
pub(crate) fn done(applied: &Applied) -> Vec<String> {
    applied.steps.iter().map(trellis_control::Step::done).collect()
}
