//! Modules are examined under the limits they are to have, and not again under what is known.

use std::sync::Arc;
use std::time::Duration;

use trellis_core::Code;
use trellis_engine::Checker;
use trellis_manifest::Report;
use trellis_supervisor::{ApplyOptions, Modules, PrepareContext, Prepared};
use trellis_testkit::guests::by_hand;

use crate::stage::Stage;

/// Only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Actors with one page of memory on a host that remembers modules.
struct Site {
    stage: Stage,
    modules: Modules,
    checker: Arc<Checker>,
}

impl Site {
    fn new() -> Self {
        let stage = Stage::new();
        let module = by_hand("(memory (export \"memory\") 1)", "(i32.const 1)");
        ["one", "two"].iter().for_each(|name| stage.put(name, &module));
        let checker = Arc::new(Checker::new().expect("the runtime starts"));
        Self { stage, modules: Modules::new(), checker }
    }

    /// Prepares a manifest in which `one` has these limits, with a check of its modules or without.
    async fn prepare(&self, limits: &str, checks: bool) -> Result<Prepared, Report> {
        let manifest = format!(
            "actors: [{{image: one.wasm, name: one, limits: {{{limits}}}}}, \
             {{image: two.wasm, name: two}}]\n"
        );
        let checker = checks.then(|| Arc::clone(&self.checker));
        let modules = self.modules.clone();
        self.stage
            .check_as(&manifest, |context| PrepareContext { modules, checker, ..context })
            .await
    }

    /// Prepares without a check until no file is so young that it is read again.
    async fn settle(&self) -> Prepared {
        let settled = async {
            loop {
                let before = self.modules.reads();
                let prepared = self.prepare("", false).await.expect("it is right");
                if self.modules.reads() == before {
                    return prepared;
                }
            }
        };
        tokio::time::timeout(PATIENCE, settled).await.expect("files settle")
    }

    /// How many modules a check reads under these limits, and what it says.
    async fn check(&self, limits: &str) -> (u64, Vec<Code>) {
        let before = self.modules.reads();
        let codes = match self.prepare(limits, true).await {
            Ok(_) => Vec::new(),
            Err(report) => report.problems().iter().map(|problem| problem.code).collect(),
        };
        (self.modules.reads() - before, codes)
    }
}

#[tokio::test]
async fn what_runs_is_right_under_its_limits_and_larger_ones_only() {
    let site = Site::new();
    let prepared = site.settle().await;
    let applied = site.stage.supervisor.apply(prepared, ApplyOptions::default()).await;
    assert!(applied.faults.is_empty(), "{applied:?}");
    assert_eq!(site.check("").await, (0, vec![]), "it runs");
    assert_eq!(site.check("memory: 128MiB, queue: 1").await, (0, vec![]), "as large at least");
    for limits in ["memory: 1KiB", "module_functions: 1, memory: 1KiB"] {
        let (reads, codes) = site.check(limits).await;
        assert_eq!((reads, codes.len()), (1, 1), "{limits}: {codes:?}");
    }
    assert_eq!(site.check("").await, (0, vec![]), "what was refused takes nothing away");
    assert_eq!(site.check("memory: 64KiB").await, (1, vec![]));
    assert_eq!(site.check("memory: 64KiB").await, (0, vec![]), "known from the check");
    assert_eq!(site.check("").await, (0, vec![]), "and what is known of less holds for more");
}

#[tokio::test]
async fn what_was_read_and_never_ran_is_examined() {
    let site = Site::new();
    site.settle().await;
    assert_eq!(site.check("").await, (2, vec![]));
    assert_eq!(site.check("").await, (0, vec![]));
}
