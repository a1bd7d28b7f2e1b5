//! A provider that does as it is told.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;
use trellis_core::{BindingId, CallError, Code, Contract, ContractId, Direction, Operation};
use trellis_providers_sdk::{
    Binding, BoxFuture, Call, Context, Created, Descriptor, Health, Listening, Provider,
    ProviderFactory, Reply, Scope, Setting, SettingKind, ValueProblem, Values, Wanted,
};

/// What the test wants and sees; all instances of all providers share it.
#[derive(Clone, Default)]
pub(crate) struct Script(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// How the next stores are made; once it is empty, at once and well.
    making: Mutex<VecDeque<Making>>,
    events: Mutex<Vec<(Instant, String)>>,
    changed: watch::Sender<()>,
    ailment: Mutex<Option<String>>,
    hangs: Mutex<Vec<&'static str>>,
    refuses: Mutex<Vec<&'static str>>,
    panics: Mutex<Vec<&'static str>>,
}

/// How one instance is made.
#[derive(Clone, Debug)]
pub(crate) enum Making {
    Fails(Code),
    Hangs,
    Panics,
    Works,
}

impl Script {
    pub(crate) fn next(&self, making: impl IntoIterator<Item = Making>) {
        self.0.making.lock().extend(making);
    }

    /// From now on these do not answer: `health`, `shutdown`, `bind at NAME`.
    pub(crate) fn hang(&self, what: &'static str) {
        self.0.hangs.lock().push(what);
    }

    /// What hung goes on, and what was refused no more is.
    pub(crate) fn go_on(&self) {
        self.0.hangs.lock().clear();
        self.0.refuses.lock().clear();
        self.0.changed.send_replace(());
    }

    /// From now on this is refused: `bind at NAME`.
    pub(crate) fn refuse(&self, what: &'static str) {
        self.0.refuses.lock().push(what);
    }

    /// From now on these panic: `addresses`, `bind at NAME`.
    pub(crate) fn panic(&self, what: &'static str) {
        self.0.panics.lock().push(what);
    }

    pub(crate) fn fall_ill(&self, why: Option<&str>) {
        *self.0.ailment.lock() = why.map(str::to_owned);
    }

    /// What happened so far, without the times.
    pub(crate) fn events(&self) -> Vec<String> {
        self.0.events.lock().iter().map(|(_, event)| event.clone()).collect()
    }

    /// When this happened.
    pub(crate) fn times(&self, event: &str) -> Vec<Instant> {
        let events = self.0.events.lock();
        events.iter().filter(|(_, known)| known == event).map(|(at, _)| *at).collect()
    }

    /// Waits until this has happened so often.
    pub(crate) async fn happened(&self, event: &str, times: usize) {
        let mut changed = self.0.changed.subscribe();
        while self.times(event).len() < times {
            changed.changed().await.expect("the script outlives its test");
        }
    }

    fn note(&self, event: String) {
        self.0.events.lock().push((Instant::now(), event));
        self.0.changed.send_replace(());
    }

    /// Waits while this is to hang.
    async fn pass(&self, what: &str) {
        let mut changed = self.0.changed.subscribe();
        while self.hangs(what) {
            changed.changed().await.expect("the script outlives its test");
        }
    }

    fn hangs(&self, what: &str) -> bool {
        self.0.hangs.lock().contains(&what)
    }

    fn panics(&self, what: &str) {
        assert!(!self.0.panics.lock().contains(&what), "as the test wants it");
    }
}

/// A kind of provider: `store` is called by actors, `server` calls them.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) direction: Direction,
    pub(crate) script: Script,
}

impl ProviderFactory for Kind {
    fn descriptor(&self) -> Descriptor {
        const PATH: Setting =
            Setting::new("PATH", Scope::Provider, SettingKind::Text, None, "A file.").exclusive();
        const SIZE: Setting =
            Setting::new("SIZE", Scope::Both, SettingKind::Text, None, "Not a file.");
        const SETTINGS: &[Setting] = &[PATH, SIZE];
        let ask = Operation {
            name: Cow::Borrowed("Ask"),
            direction: self.direction,
            doc: Cow::Borrowed("Asks."),
        };
        let contract = Contract {
            id: ContractId::new(format!("test:{}", self.name)),
            aliases: Cow::Borrowed(&[]),
            operations: vec![ask].into(),
        };
        Descriptor {
            contracts: vec![contract].into(),
            ..Descriptor::new((self.name, "1.0.0", "For a test."), &[], SETTINGS)
        }
    }

    fn validate(&self, _: &Wanted) -> Vec<ValueProblem> {
        Vec::new()
    }

    fn create(&self, _: Context, values: Values) -> Created {
        let script = self.script.clone();
        let name = match values.get("SIZE") {
            Some(size) => format!("{} {size}", self.name),
            None => self.name.to_owned(),
        };
        let next = || script.0.making.lock().pop_front();
        let making = if self.name == "store" { next() } else { None }.unwrap_or(Making::Works);
        script.note(format!("make {name}"));
        Box::pin(async move {
            match making {
                Making::Fails(code) => return Err(CallError::new(code, "as the test wants it")),
                Making::Hangs => std::future::pending().await,
                Making::Panics => panic!("as the test wants it"),
                Making::Works => {}
            }
            script.note(format!("made {name}"));
            Ok(Arc::new(Scripted { name, script }) as Arc<dyn Provider>)
        })
    }
}

struct Scripted {
    name: String,
    script: Script,
}

impl Provider for Scripted {
    fn bind(&self, binding: Binding) -> BoxFuture<'_, Result<(), CallError>> {
        let what = format!("bind at {}", self.name);
        self.script.panics(&what);
        self.script.note(format!("bind {} at {}", binding.actor_name, self.name));
        Box::pin(async move {
            self.script.pass(&what).await;
            match self.script.0.refuses.lock().contains(&&*what) {
                true => Err(CallError::new(Code::Config, "as the test wants it")),
                false => Ok(()),
            }
        })
    }

    fn unbind(&self, _: BindingId) -> BoxFuture<'_, ()> {
        self.script.note(format!("unbind at {}", self.name));
        Box::pin(async {})
    }

    fn unbind_all(&self, ids: Vec<BindingId>) -> BoxFuture<'_, ()> {
        self.script.note(format!("unbind {} at {}", ids.len(), self.name));
        Box::pin(async move {
            for id in ids {
                self.unbind(id).await;
            }
        })
    }

    fn call(&self, _: Call) -> BoxFuture<'_, Reply> {
        Box::pin(async { Ok(Bytes::new()) })
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(async {
            if self.script.hangs("health") {
                self.script.note(format!("ask {}", self.name));
            }
            self.script.pass("health").await;
            match self.script.0.ailment.lock().clone() {
                Some(why) => Health::Degraded(why),
                None => Health::Healthy,
            }
        })
    }

    fn addresses(&self) -> Vec<Listening> {
        self.script.panics("addresses");
        Vec::new()
    }

    fn shutdown(&self, _: Duration) -> BoxFuture<'_, ()> {
        self.script.note(format!("shut down {}", self.name));
        Box::pin(async {
            self.script.pass("shutdown").await;
            tokio::task::yield_now().await;
            self.script.note(format!("{} is down", self.name));
        })
    }
}
