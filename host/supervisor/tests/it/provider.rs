//! A provider that does as it is told.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;
use trellis_core::OperationSpec;
use trellis_core::{BindingId, CallError, Code, Contract, ContractId, Direction, Operation};
use trellis_providers_sdk::data::{self, About, DescribeData, ExportData, Page, Piece};
use trellis_providers_sdk::{
    Binding, BoxFuture, Call, Context, Created, Descriptor, Health, Listening, Newcomer, Provider,
    ProviderFactory, Reply, Restart, Scope, Setting, SettingKind, ValueProblem, Values, Wanted,
};

use crate::places::Places;

/// The longest that anything may take which is to become so.
const PATIENCE: Duration = Duration::from_secs(30);
/// The provider whose contract binds itself.
pub(crate) const IMPLICIT: &str = "ticker";
/// The provider that can tell what it keeps: one key.
pub(crate) const KEEPER: &str = "keeper";

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
    /// The values of SIZE with which a binding is not well.
    unwell: Mutex<BTreeSet<&'static str>>,
    hangs: Mutex<Vec<&'static str>>,
    refuses: Mutex<Vec<&'static str>>,
    panics: Mutex<Vec<&'static str>>,
    /// The operation of those that are prepared from now on, when it is another one.
    rewritten: Mutex<Option<&'static str>>,
    /// Of every instance.
    contexts: Mutex<Vec<Context>>,
    /// The values of PATH that instances hold until they are dropped.
    held: Mutex<BTreeSet<String>>,
    /// Of all servers.
    places: Places,
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

    /// From now on these do not answer: `health`, `leave`, `shutdown`, `call`, `bind at NAME`.
    pub(crate) fn hang(&self, what: &'static str) {
        self.0.hangs.lock().push(what);
    }

    /// What hung goes on, and what was refused no more is.
    pub(crate) fn go_on(&self) {
        self.0.hangs.lock().clear();
        self.0.refuses.lock().clear();
        self.0.changed.send_replace(());
    }

    /// This goes on, and nothing else.
    pub(crate) fn go_on_with(&self, what: &str) {
        self.0.hangs.lock().retain(|known| *known != what);
        self.0.changed.send_replace(());
    }

    /// What the instance that was made so late calls actors with; the first is 0.
    pub(crate) fn context(&self, place: usize) -> Context {
        self.0.contexts.lock()[place].clone()
    }

    /// From now on this is refused: `bind at NAME`, `place PLACE at NAME`; and only once it is
    /// tried, `late PLACE at NAME`.
    pub(crate) fn refuse(&self, what: &'static str) {
        self.0.refuses.lock().push(what);
    }

    /// From now on these panic: `addresses`, `bind at NAME`, `drop of NAME`.
    pub(crate) fn panic(&self, what: &'static str) {
        self.0.panics.lock().push(what);
    }

    /// The actor that has a place of a server, and with which of its bindings.
    pub(crate) fn at(&self, server: &str, place: &str) -> Option<(String, BindingId)> {
        self.0.places.at(server, place)
    }

    /// Waits until this is so; something happens before.
    pub(crate) async fn until(&self, so: impl Fn() -> bool) {
        let mut changed = self.0.changed.subscribe();
        let looks = async {
            while !so() {
                changed.changed().await.expect("the script outlives its test");
            }
        };
        tokio::time::timeout(PATIENCE, looks).await.expect("it becomes so");
    }

    /// From now on no instance of that kind is made.
    pub(crate) fn refuse_making(&self, name: &'static str) {
        self.0.refuses.lock().push(name);
    }

    /// The instances say that they may be in another state.
    pub(crate) fn stir(&self) {
        self.0.contexts.lock().iter().for_each(Context::health_changed);
    }

    /// The instances say that they failed, and what becomes of them.
    pub(crate) fn fail(&self, next: Restart) {
        let why = CallError::new(Code::Provider, "its process ended");
        self.0.contexts.lock().iter().for_each(|context| context.failed(next, &why));
    }

    /// The instances say that they run again.
    pub(crate) fn recover(&self) {
        self.0.contexts.lock().iter().for_each(Context::recovered);
    }

    /// From now on a manifest finds another build of every provider, with this operation alone.
    pub(crate) fn rewrite(&self, operation: &'static str) {
        *self.0.rewritten.lock() = Some(operation);
    }

    pub(crate) fn fall_ill(&self, why: Option<&str>) {
        *self.0.ailment.lock() = why.map(str::to_owned);
    }

    /// From now on a binding with this SIZE is not well.
    pub(crate) fn fall_ill_with(&self, size: &'static str) {
        self.0.unwell.lock().insert(size);
    }

    /// From now on one is.
    pub(crate) fn recover_with(&self, size: &'static str) {
        self.0.unwell.lock().remove(size);
    }

    fn down(&self, size: &str) -> Option<String> {
        self.0.unwell.lock().contains(size).then(|| format!("{size} is down"))
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

    fn refuses(&self, what: &str) -> bool {
        self.0.refuses.lock().contains(&what)
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
            Setting::new("PATH", Scope::Provider, SettingKind::Text, None, "A file.")
                .exclusive()
                .plain();
        const SIZE: Setting =
            Setting::new("SIZE", Scope::Both, SettingKind::Text, None, "Not a file.");
        const PLACE: Setting =
            Setting::new("PLACE", Scope::Binding, SettingKind::Text, None, "Of a server.");
        const SETTINGS: &[Setting] = &[PATH, SIZE, PLACE];
        let rewritten = *self.script.0.rewritten.lock();
        let version = if rewritten.is_some() { "2.0.0" } else { "1.0.0" };
        let ask = Operation {
            name: Cow::Borrowed(rewritten.unwrap_or("Ask")),
            direction: self.direction,
            doc: Cow::Borrowed("Asks."),
            idempotent: false,
        };
        let contract = Contract {
            id: ContractId::new(format!("test:{}", self.name)),
            aliases: Cow::Borrowed(&[]),
            operations: vec![ask].into(),
        };
        Descriptor {
            contracts: vec![contract].into(),
            implicit: self.name == IMPLICIT,
            data: (self.name == KEEPER).then_some(data::CONTRACT.id),
            ..Descriptor::new((self.name, version, "For a test."), &[], SETTINGS)
        }
    }

    fn validate(&self, _: &Wanted) -> Vec<ValueProblem> {
        Vec::new()
    }

    fn create(&self, context: Context, values: Values) -> Created {
        self.script.0.contexts.lock().push(context);
        let script = self.script.clone();
        let name = match values.get("SIZE") {
            Some(size) => format!("{} {size}", self.name),
            None => self.name.to_owned(),
        };
        let next = || script.0.making.lock().pop_front();
        let making = if self.name == "store" { next() } else { None }.unwrap_or(Making::Works);
        script.note(format!("make {name}"));
        let kind = self.name;
        let path = values.get("PATH").map(str::to_owned);
        Box::pin(async move {
            if script.refuses(kind) {
                return Err(CallError::new(Code::Config, "as the test wants it"));
            }
            match making {
                Making::Fails(code) => return Err(CallError::new(code, "as the test wants it")),
                Making::Hangs => std::future::pending().await,
                Making::Panics => panic!("as the test wants it"),
                Making::Works => {}
            }
            if path.as_ref().is_some_and(|path| !script.0.held.lock().insert(path.clone())) {
                return Err(CallError::new(Code::Storage, "another one holds the same PATH"));
            }
            script.note(format!("made {name}"));
            let (reserved, sizes) = (Mutex::default(), Mutex::default());
            Ok(Arc::new(Scripted { name, script, path, reserved, sizes }) as Arc<dyn Provider>)
        })
    }
}

struct Scripted {
    name: String,
    script: Script,
    path: Option<String>,
    /// What it was asked to reserve and never served.
    reserved: Mutex<BTreeSet<BindingId>>,
    /// The SIZE of each binding that says one.
    sizes: Mutex<BTreeMap<BindingId, String>>,
}

impl Drop for Scripted {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            self.script.0.held.lock().remove(path);
        }
        self.script.panics(&format!("drop of {}", self.name));
    }
}

impl Scripted {
    /// Holds nothing for these any more; gives those that it was told of as bindings.
    fn given_back(&self, ids: &[BindingId]) -> Vec<BindingId> {
        let mut reserved = self.reserved.lock();
        ids.iter().copied().filter(|id| !reserved.remove(id)).collect()
    }

    /// Each instance of another name is another store.
    fn about(&self) -> About {
        About { store: self.name.clone(), now_ms: 1, removable: true, ..About::default() }
    }

    /// What comes of those that want a place; with `late` also what only a try shows.
    fn weigh(
        &self,
        newcomers: &[Newcomer],
        leaving: &[BindingId],
        late: bool,
    ) -> Vec<Result<(), CallError>> {
        let refuses = |place: &str| {
            let says =
                |what: &str| self.script.refuses(&format!("{what} {place} at {}", self.name));
            says("place") || late && says("late")
        };
        self.script.0.places.weigh(&self.name, (newcomers, leaving), refuses)
    }
}

/// All that a keeper has.
fn one_key() -> Page {
    let (kind, count) = (data::Kind::Text, 1);
    let key = Piece { key: "k".into(), kind, expires_ms: 0, count, start: 0, values: Vec::new() };
    Page { pieces: vec![key], next: String::new() }
}

impl Provider for Scripted {
    fn bind(&self, binding: Binding) -> BoxFuture<'_, Result<(), CallError>> {
        let what = format!("bind at {}", self.name);
        self.script.panics(&what);
        self.script.note(format!("bind {} at {}", binding.actor_name, self.name));
        Box::pin(async move {
            self.script.pass(&what).await;
            if self.script.refuses(&what) {
                return Err(CallError::new(Code::Config, "as the test wants it"));
            }
            if let Some(size) = binding.values.get("SIZE") {
                self.sizes.lock().insert(binding.id, size.to_owned());
            }
            self.script.0.places.take(&self.name, binding);
            Ok(())
        })
    }

    fn bind_all(
        &self,
        newcomers: Vec<Newcomer>,
        leaving: Vec<BindingId>,
    ) -> BoxFuture<'_, Vec<Result<(), CallError>>> {
        Box::pin(async move {
            let ids = newcomers.iter().map(|newcomer| newcomer.binding.id);
            self.given_back(&ids.collect::<Vec<_>>());
            let mut bound = self.weigh(&newcomers, &leaving, true);
            for (newcomer, bound) in newcomers.into_iter().zip(&mut bound) {
                if bound.is_ok() {
                    *bound = self.bind(newcomer.binding).await;
                }
                if let (Ok(()), Some(replaced)) = (&bound, newcomer.replaces) {
                    self.script.0.places.leave(&self.name, replaced);
                }
            }
            bound
        })
    }

    fn reserve_all(
        &self,
        newcomers: Vec<Newcomer>,
        leaving: Vec<BindingId>,
    ) -> BoxFuture<'_, Vec<Result<(), CallError>>> {
        Box::pin(async move {
            self.reserved.lock().extend(newcomers.iter().map(|newcomer| newcomer.binding.id));
            self.weigh(&newcomers, &leaving, false)
        })
    }

    fn unbind(&self, id: BindingId) -> BoxFuture<'_, ()> {
        self.script.0.places.leave(&self.name, id);
        self.sizes.lock().remove(&id);
        self.script.note(format!("unbind at {}", self.name));
        Box::pin(async {})
    }

    fn unbind_all(&self, ids: Vec<BindingId>) -> BoxFuture<'_, ()> {
        let ids = self.given_back(&ids);
        if ids.is_empty() {
            return Box::pin(async {});
        }
        self.script.note(format!("unbind {} at {}", ids.len(), self.name));
        Box::pin(async move {
            for id in ids {
                self.unbind(id).await;
            }
        })
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Reply> {
        Box::pin(async move {
            if self.script.hangs("call") {
                self.script.note(format!("call {}", self.name));
            }
            self.script.pass("call").await;
            Ok(match &*call.operation {
                "DescribeData" => DescribeData::encode_output(&self.about()).into(),
                "ExportData" => ExportData::encode_output(&one_key()).into(),
                _ => Bytes::new(),
            })
        })
    }

    /// As a whole it is not well when it is not for any binding that it knows.
    fn health(&self) -> BoxFuture<'_, Health> {
        Box::pin(async {
            if self.script.hangs("health") {
                self.script.note(format!("ask {}", self.name));
            }
            self.script.pass("health").await;
            let sizes: Vec<_> = self.sizes.lock().values().cloned().collect();
            let down = sizes.iter().find_map(|size| self.script.down(size));
            match self.script.0.ailment.lock().clone().or(down) {
                Some(why) => Health::Degraded(why),
                None => Health::Healthy,
            }
        })
    }

    fn health_of_each(&self, ids: Vec<BindingId>) -> BoxFuture<'_, Vec<Health>> {
        Box::pin(async move {
            if self.script.hangs("health") {
                self.script.note(format!("ask {}", self.name));
            }
            let down = |id| self.sizes.lock().get(id).and_then(|size| self.script.down(size));
            let down: Vec<_> = ids.iter().map(down).collect();
            self.script.pass("health").await;
            let whole = self.script.0.ailment.lock().clone();
            let why = |down: Option<String>| down.or_else(|| whole.clone());
            let healths = down.into_iter().map(why);
            healths.map(|why| why.map_or(Health::Healthy, Health::Degraded)).collect()
        })
    }

    fn addresses(&self) -> Vec<Listening> {
        self.script.panics("addresses");
        Vec::new()
    }

    fn leave(&self, _: Duration) -> BoxFuture<'_, ()> {
        if self.script.hangs("leave") {
            self.script.note(format!("{} is to leave", self.name));
        }
        Box::pin(self.script.pass("leave"))
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
