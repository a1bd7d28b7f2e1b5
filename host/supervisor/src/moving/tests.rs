//! Stores that fail, lie and take long.

use std::collections::BTreeMap;
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use trellis_core::BindingId;
use trellis_providers_sdk::data::{
    self, About, Differing, Erased, ExportDataRequest, Kind, Page, Taken,
};

use super::*;

/// A store of a few keys. What binding `n` sees is called `spaces[n]`.
#[derive(Default)]
struct Fake {
    name: &'static str,
    spaces: Vec<&'static str>,
    held: Mutex<BTreeMap<(&'static str, String), Piece>>,
    /// How many more pieces it takes before it fails.
    takes: Option<usize>,
    /// Takes something else than it is given.
    lies: bool,
    /// Somebody else puts a key there.
    visited: bool,
    /// Removes nothing.
    keeps_on: bool,
    /// Never answers a request for a page.
    hangs: bool,
    /// Never ends with removing.
    is_stuck: bool,
    /// Takes no more once it holds so many pieces, and says so only when it is asked.
    full_at: Option<usize>,
    /// What time it is there.
    now_ms: u64,
    /// Takes so many pieces, and answers no more then.
    loses: Option<usize>,
    /// Does not tell what this key holds.
    keeps_to_itself: Option<&'static str>,
    /// What it has is everybody's.
    is_public: bool,
    /// Does not say which keys are whose.
    is_down: bool,
}

impl Fake {
    fn new(name: &'static str, spaces: &[&'static str]) -> Self {
        Self { name, spaces: spaces.to_vec(), ..Self::default() }
    }

    fn with(self, space: &'static str, keys: &[&str]) -> Self {
        for key in keys {
            let piece = Piece {
                key: (*key).into(),
                kind: Kind::Text,
                expires_ms: 0,
                count: 1,
                start: 0,
                values: vec![format!("of {key}").into()],
            };
            self.held.lock().insert((space, (*key).to_owned()), piece);
        }
        self
    }

    /// Takes pieces: how many that were, and whether nobody is told.
    fn take(&self, space: &'static str, pieces: Vec<Piece>) -> Result<(u64, bool), CallError> {
        let mut held = self.held.lock();
        let keys = pieces.len() as u64;
        if keys == 0 && self.full_at.is_some_and(|most| held.len() >= most) {
            return Err(CallError::new(Code::Provider, "its memory is full"));
        }
        if let Some(piece) = pieces.first().filter(|_| self.visited) {
            let key = "visitor".to_owned();
            held.insert((space, key.clone()), Piece { key: key.into(), ..piece.clone() });
        }
        for mut piece in pieces {
            if self.takes.is_some_and(|most| held.len() >= most) {
                return Err(CallError::new(Code::Storage, "the disk is full"));
            }
            if piece.expires_ms == 1 {
                held.remove(&(space, named(&piece)));
                continue;
            }
            if self.lies {
                piece.values = vec!["something else".into()];
            }
            held.insert((space, named(&piece)), piece);
        }
        Ok((keys, self.loses.is_some_and(|most| held.len() >= most)))
    }

    fn keys(&self) -> Vec<String> {
        self.held.lock().keys().map(|(space, key)| format!("{space}/{key}")).collect()
    }
}

impl data::Provider for Fake {
    type Caller = &'static str;

    async fn describe_data(&self, space: &&'static str) -> Result<About, CallError> {
        if self.is_down {
            return Err(CallError::new(Code::Provider, "it is down"));
        }
        // `name/prefix` is a part of a store that has others.
        let (store, prefix) = space.split_once('/').unwrap_or((space, ""));
        let store = if prefix.is_empty() { format!("{} {store}", self.name) } else { store.into() };
        let total = self.held.lock().len() as u64;
        let (prefix, removable) = (prefix.to_owned(), !self.is_public);
        Ok(About { store, prefix, now_ms: self.now_ms, total, removable })
    }

    async fn export_data(
        &self,
        space: &&'static str,
        request: ExportDataRequest,
    ) -> Result<Page, CallError> {
        if self.hangs && !request.names_only {
            std::future::pending::<()>().await;
        }
        let held = self.held.lock();
        // A key a page, so that there are several.
        let asked = |piece: &Piece| request.keys.is_empty() || request.keys.contains(&piece.key);
        let own = held.range((*space, request.cursor.clone())..);
        let mut own = own.filter(|((at, _), piece)| at == space && asked(piece));
        let piece = own.next().map(|(_, piece)| piece.clone());
        let is_private = |piece: &Piece| self.keeps_to_itself == Some(&*named(piece));
        if !request.names_only && piece.as_ref().is_some_and(is_private) {
            return Err(CallError::new(Code::WrongType, "it holds a hash"));
        }
        let pieces = piece.into_iter().collect();
        let next = own.next().map_or_else(String::new, |((_, key), _)| key.clone());
        Ok(Page { pieces, next })
    }

    async fn import_data(
        &self,
        space: &&'static str,
        request: ImportDataRequest,
    ) -> Result<Taken, CallError> {
        let (keys, is_lost) = self.take(space, request.pieces)?;
        if is_lost {
            std::future::pending::<()>().await;
        }
        Ok(Taken { keys })
    }

    async fn compare_data(
        &self,
        space: &&'static str,
        request: CompareDataRequest,
    ) -> Result<Differing, CallError> {
        let held = self.held.lock();
        let differs = |piece: &Piece| held.get(&(*space, named(piece))) != Some(piece);
        let keys = request.pieces.iter().filter(|piece| differs(piece));
        Ok(Differing { keys: keys.map(|piece| piece.key.clone()).collect() })
    }

    async fn erase_data(
        &self,
        space: &&'static str,
        _: EraseDataRequest,
    ) -> Result<Erased, CallError> {
        if self.is_stuck {
            std::future::pending::<()>().await;
        }
        if self.keeps_on {
            return Err(CallError::new(Code::Provider, "it is down"));
        }
        self.held.lock().retain(|(at, _), _| at != space);
        Ok(Erased { next: String::new() })
    }
}

fn named(piece: &Piece) -> String {
    data::text(&piece.key).expect("keys of tests are texts").to_owned()
}

impl Keeper for &Fake {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    async fn ask(
        &self,
        BindingId(binding): BindingId,
        operation: &'static str,
        payload: Vec<u8>,
    ) -> Result<Bytes, CallError> {
        let space = self.spaces[usize::try_from(binding).expect("a few")];
        data::serve(*self, &space, operation, &payload).await
    }
}

/// What came of a move of all that these bindings see, with all that it takes back.
async fn moved(from: &Fake, to: &Fake, terms: DataTerms) -> Result<Amount, CallError> {
    moved_within(from, to, terms, 1_000).await
}

async fn moved_within(
    from: &Fake,
    to: &Fake,
    terms: DataTerms,
    bytes_max: u64,
) -> Result<Amount, CallError> {
    let (_wanted, superseded) = watch::channel(false);
    let bounds = Bounds { bytes_max, ..Bounds::begin(superseded) };
    all_moved(from, to, load(from, terms), &bounds).await
}

async fn all_moved<'a>(
    from: &'a Fake,
    to: &'a Fake,
    load: Load<&'a Fake>,
    bounds: &Bounds,
) -> Result<Amount, CallError> {
    let way = Way::new(from, to);
    match way.copy(load, bounds).await {
        Ok(amount) => Ok(amount),
        Err(error) => Err(way.take_away(error).await),
    }
}

/// All that the bindings of a store see.
fn load<'a>(from: &Fake, terms: DataTerms) -> Load<&'a Fake> {
    let bindings = 0..from.spaces.len() as u64;
    let space = |id| Space { binding: BindingId(id), actor: format!("actor-{id}") };
    Load { spaces: bindings.map(space).collect(), others: Vec::new(), terms }
}

#[tokio::test]
async fn every_keyspace_goes_along_once() {
    let spaces = ["a", "b", "a"];
    let from =
        Fake::new("from", &spaces).with("a", &["k", "l"]).with("b", &["k"]).with("c", &["x"]);
    let to = Fake::new("to", &spaces);
    let amount = moved(&from, &to, DataTerms::Copy).await.expect("there is room");
    assert_eq!(to.keys(), ["a/k", "a/l", "b/k"]);
    assert_eq!(
        amount,
        Amount { keys: 3, bytes: 3 * 5, others: 1, gone: 0 },
        "two bindings that see the same count once"
    );
    assert_eq!(from.keys().len(), 4, "it has them still");
}

#[tokio::test]
async fn a_target_that_holds_something_is_refused_untouched_unless_it_is_thrown_away() {
    let from = Fake::new("from", &["a"]).with("a", &["k"]);
    let to = Fake::new("to", &["a"]).with("a", &["own"]).with("z", &["other"]);
    let refused = moved(&from, &to, DataTerms::Copy).await.expect_err("it holds something");
    assert_eq!(refused.code(), Code::Data);
    assert!(refused.message().contains("--data replace"), "{refused}");
    assert_eq!(to.keys(), ["a/own", "z/other"], "nothing was removed");
    let done = moved(&from, &to, DataTerms::Replace).await.expect("it is asked for");
    assert_eq!(to.keys(), ["a/k", "z/other"], "what nobody here sees stays");
    assert_eq!((done.keys, done.gone), (1, 1));
}

/// What is thrown away goes once all else is there.
#[tokio::test]
async fn what_is_to_be_replaced_is_there_until_the_copy_is() {
    let from = Fake::new("from", &["a", "b"]).with("a", &["k", "l"]).with("b", &["m"]);
    let to = Fake { takes: Some(2), ..Fake::new("to", &["a", "b"]) }.with("a", &["own"]);
    let failed = moved(&from, &to, DataTerms::Replace).await.expect_err("its disk is full");
    assert_eq!(failed.code(), Code::Storage, "{failed}");
    assert!(failed.message().contains("what there is in the other store stays"), "{failed}");
    assert_eq!(to.keys(), ["a/k", "a/own"]);
    let to = Fake { takes: Some(3), ..Fake::new("to", &["b", "a"]) }.with("a", &["own"]);
    let from = Fake { spaces: vec!["b", "a"], ..from };
    moved(&from, &to, DataTerms::Replace).await.expect_err("its disk is full");
    assert_eq!(to.keys(), ["a/k", "a/own"], "where there was nothing there is nothing again");
}

/// Whatever can be known before is known before anything is touched.
#[tokio::test]
async fn nothing_is_replaced_for_what_is_refused() {
    let from = || Fake::new("from", &["a"]).with("a", &["k", "l"]);
    let to = || Fake::new("to", &["a"]).with("a", &["own"]);
    for (from, to, code, says) in [
        (from(), Fake { is_public: true, ..to() }, Code::Data, "those of all users"),
        (from(), Fake { full_at: Some(1), ..to() }, Code::Provider, "nothing was touched"),
        (Fake { keeps_to_itself: Some("l"), ..from() }, to(), Code::WrongType, "a hash"),
    ] {
        let refused = moved(&from, &to, DataTerms::Replace).await.expect_err("it cannot be");
        assert_eq!(refused.code(), code, "{refused}");
        assert!(refused.message().contains(says), "{refused}");
        assert_eq!(to.keys(), ["a/own"], "{refused}");
    }
}

#[tokio::test]
async fn keys_of_another_provider_that_runs_are_not_replaced() {
    let from = Fake::new("from", &["a"]).with("a", &["k"]);
    let (_wanted, superseded) = watch::channel(false);
    let bounds = Bounds::begin(superseded);
    let down = Fake { is_down: true, ..Fake::new("other", &["redis/q:"]) };
    for (there, other, says) in [
        ("redis/p:", Fake::new("other", &["redis/p:"]), "also those of guest at provider other"),
        ("redis/p:", Fake::new("other", &["redis/p:q:"]), "also those of guest"),
        ("redis/p:q:", Fake::new("other", &["redis/p:"]), "also those of guest"),
        ("redis/p:", down, "cannot be found out"),
    ] {
        let to = Fake::new("to", &[there]).with(there, &["own"]);
        let space = Space { binding: BindingId(0), actor: "guest".to_owned() };
        let others = vec![Other { keeper: &other, space }];
        let load = Load { others, ..load(&from, DataTerms::Replace) };
        let refused = all_moved(&from, &to, load, &bounds).await.expect_err("it is another's");
        assert!(refused.message().contains(says), "{refused}");
        assert_eq!(to.keys(), [format!("{there}/own")]);
    }
    let other = Fake::new("other", &["redis/r:"]);
    let to = Fake::new("to", &["redis/p:"]).with("redis/p:", &["own"]);
    let space = Space { binding: BindingId(0), actor: "guest".to_owned() };
    let others = vec![Other { keeper: &other, space }];
    let load = Load { others, ..load(&from, DataTerms::Replace) };
    all_moved(&from, &to, load, &bounds).await.expect("they have nothing in common");
}

#[tokio::test]
async fn what_was_put_there_is_taken_away_when_it_fails() {
    let from = Fake::new("from", &["a"]).with("a", &["k", "l", "m"]);
    let to = Fake { takes: Some(2), ..Fake::new("to", &["a"]) };
    let failed = moved(&from, &to, DataTerms::Copy).await.expect_err("it fails");
    assert_eq!(failed.code(), Code::Storage, "{failed}");
    assert_eq!(to.keys(), Vec::<String>::new());
    let to = Fake { takes: Some(2), keeps_on: true, ..Fake::new("to", &["a"]) };
    let failed = moved(&from, &to, DataTerms::Copy).await.expect_err("it fails");
    assert!(failed.message().contains("could not be taken away"), "{failed}");
    let again = moved(&from, &to, DataTerms::Copy).await.expect_err("it holds a half");
    assert!(again.message().contains("--data replace"), "{again}");
}

/// They may be somebody's who moved there at the same time.
#[tokio::test]
async fn keys_that_are_others_stay_when_it_fails() {
    let from = Fake::new("from", &["a"]).with("a", &["k", "l", "m"]);
    for (to, code, left) in [
        (Fake { lies: true, ..Fake::new("to", &["a"]) }, Code::Data, ["a/k", "a/l", "a/m"]),
        (
            Fake { visited: true, takes: Some(3), ..Fake::new("to", &["a"]) },
            Code::Storage,
            ["a/k", "a/l", "a/visitor"],
        ),
    ] {
        let failed = moved(&from, &to, DataTerms::Copy).await.expect_err("it fails");
        assert_eq!(failed.code(), code, "{failed}");
        assert!(failed.message().contains("nothing was taken away again"), "{failed}");
        assert!(!failed.message().contains("of k"), "no value is told: {failed}");
        assert_eq!(to.keys(), left);
    }
}

#[tokio::test]
async fn the_same_store_is_never_copied_over_itself() {
    let one = Fake::new("one", &["a"]).with("a", &["k"]);
    for terms in [DataTerms::Copy, DataTerms::Replace] {
        let refused = moved(&one, &one, terms).await.expect_err("it would lose all");
        assert!(refused.message().contains("same store"), "{refused}");
        assert_eq!(one.keys(), ["a/k"]);
    }
}

#[tokio::test]
async fn keyspaces_that_would_become_one_or_two_are_refused() {
    for (from, to) in [(["a", "b"], ["", ""]), (["", ""], ["a", "b"])] {
        let from = Fake::new("from", &from).with("", &["k"]).with("a", &["k"]);
        let to = Fake::new("to", &to);
        let refused = moved(&from, &to, DataTerms::Copy).await.expect_err("they would mix");
        assert!(refused.message().contains("SHARED"), "{refused}");
        assert_eq!(to.keys(), Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn a_move_is_bounded_in_bytes_and_in_time() {
    let from = Fake::new("from", &["a"]).with("a", &["k", "l", "m"]);
    let to = Fake::new("to", &["a"]);
    let within = |most| moved_within(&from, &to, DataTerms::Replace, most);
    within(15).await.expect("exactly that");
    let refused = within(14).await.expect_err("one byte more");
    assert_eq!(refused.code(), Code::Data);
    assert!(refused.message().contains("data_move_bytes_max"), "{refused}");
    assert_eq!(to.keys().len(), 3, "what is there was not touched for it");
    to.held.lock().clear();
    within(14).await.expect_err("nor is anything there afterwards");
    assert_eq!(to.keys(), Vec::<String>::new());

    let hangs = Fake { hangs: true, ..Fake::new("hangs", &["a"]) };
    let began = Instant::now();
    let late = moved(&hangs, &to, DataTerms::Copy).await.expect_err("it never answers");
    assert!(late.message().contains("data_move_time_ms_max"), "{late}");
    assert_eq!(began.elapsed(), Duration::from_millis(DATA_MOVE_TIME.default));
}

#[tokio::test]
async fn something_newer_ends_it_and_nothing_is_lost() {
    let (wanted, superseded) = watch::channel(false);
    let hangs = Fake { hangs: true, ..Fake::new("hangs", &["a"]) }.with("a", &["k"]);
    let to = Fake::new("to", &["a"]);
    let way = Way::new(&hangs, &to);
    let bounds = Bounds::begin(superseded);
    let copying = way.copy(load(&hangs, DataTerms::Copy), &bounds);
    let (failed, ()) = tokio::join!(copying, async { wanted.send(true).expect("it listens") });
    let error = way.take_away(failed.expect_err("it made way")).await;
    assert_eq!(error.code(), Code::Stopping);
    assert_eq!((hangs.keys().len(), to.keys().len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn something_newer_does_not_wait_for_a_store_that_gives_nothing_up() {
    let from = Fake::new("from", &["a"]).with("a", &["k", "l"]);
    let to = Fake { takes: Some(1), is_stuck: true, ..Fake::new("to", &["a"]) };
    let whole = Duration::from_millis(DATA_MOVE_TIME.default);
    for (is_newer_wanted, longest) in [(true, TAKE_AWAY_PATIENCE), (false, whole)] {
        to.held.lock().clear();
        let (wanted, superseded) = watch::channel(false);
        let bounds = Bounds::begin(superseded);
        let way = Way::new(&from, &to);
        let failed = way.copy(load(&from, DataTerms::Copy), &bounds).await;
        let began = Instant::now();
        wanted.send(is_newer_wanted).expect("it listens");
        let taking = way.take_away(failed.expect_err("it is full"));
        let told = patiently(taking, bounds.superseded).await;
        assert_eq!(began.elapsed(), longest);
        let Some(error) = told else {
            assert!(is_newer_wanted);
            continue;
        };
        assert_eq!(error.code(), Code::Storage, "why it failed at first");
        assert!(error.message().contains("the next try needs `--data replace`"), "{error}");
    }
}

/// Whoever is cut while a page is on its way does not know whether it came.
#[tokio::test]
async fn what_is_cut_or_was_for_nothing_is_taken_away_as_well() {
    let stopped = CallError::new(Code::Stopping, "the host stops");
    let from = Fake::new("from", &["a", "b"]).with("a", &["k", "l"]).with("b", &["m"]);
    for loses in [None, Some(1), Some(2)] {
        let to = Fake { loses, ..Fake::new("to", &["a", "b"]) };
        let way = Way::new(&from, &to);
        assert!(!way.is_begun());
        let (_wanted, superseded) = watch::channel(false);
        let bounds = Bounds::begin(superseded);
        let mut copying = Box::pin(way.copy(load(&from, DataTerms::Copy), &bounds));
        let mut once = Context::from_waker(Waker::noop());
        let cut = copying.as_mut().poll(&mut once).is_pending();
        assert_eq!(cut, loses.is_some());
        drop(copying);
        assert!(way.is_begun());
        assert_eq!(to.keys().len(), loses.unwrap_or(3));
        assert_eq!(way.take_away(stopped.clone()).await, stopped, "there is nothing to add");
        assert_eq!((from.keys().len(), to.keys().len()), (3, 0));
    }
}

#[tokio::test]
async fn one_that_takes_no_more_does_not_take_over() {
    let from = Fake::new("from", &["a"]).with("a", &["k", "l"]);
    let to = Fake { full_at: Some(2), ..Fake::new("to", &["a"]) };
    let full = moved(&from, &to, DataTerms::Copy).await.expect_err("it would refuse every write");
    assert_eq!(full.code(), Code::Provider);
    for said in ["take no more", "its memory is full"] {
        assert!(full.message().contains(said), "{said}: {full}");
    }
    assert_eq!(to.keys(), Vec::<String>::new());
    let larger = Fake { full_at: Some(3), ..Fake::new("to", &["a"]) };
    moved(&from, &larger, DataTerms::Copy).await.expect("there is room for one more");
}

#[tokio::test]
async fn keys_of_the_source_are_not_thrown_away_for_those_of_a_part_of_it() {
    for (from, to) in [("redis/a:", "redis/a:b:"), ("redis/a:b:", "redis/a:")] {
        let from = Fake::new("from", &[from]).with(from, &["k"]);
        let to = Fake::new("to", &[to]).with(to, &["k"]);
        for terms in [DataTerms::Copy, DataTerms::Replace] {
            let refused = moved(&from, &to, terms).await.expect_err("they overlap");
            assert_eq!(refused.code(), Code::Data);
            assert!(refused.message().contains("PREFIX"), "{refused}");
            assert_eq!((from.keys().len(), to.keys().len()), (1, 1), "nothing was touched");
        }
    }
}

/// A key has as long to live there as it had here.
#[tokio::test]
async fn times_go_by_the_clock_of_the_store() {
    for (here, there, lives_until) in
        [(1_000_000, 1_000_030, 1_000_500), (1_000_000, 1_600_000, 1_600_500), (600_000, 0, 500)]
    {
        let from = Fake { now_ms: here, ..Fake::new("from", &["a"]) }.with("a", &["k"]);
        let until = here + 500;
        from.held.lock().values_mut().for_each(|piece| piece.expires_ms = until);
        let to = Fake { now_ms: there, ..Fake::new("to", &["a"]) };
        moved(&from, &to, DataTerms::Copy).await.expect("it compares with the same times");
        let times: Vec<_> = to.held.lock().values().map(|piece| piece.expires_ms).collect();
        assert_eq!(times, [lives_until], "{here} {there}");
    }
}

#[test]
fn what_it_takes_to_read_a_clock_is_no_difference() {
    for (read, there, by) in [
        ((1_000, 5_000), 4_000, 0),
        ((1_000, 1_000), 1_050, 0),
        ((1_000, 2_000), 11_500, 10_000),
        ((11_000, 12_000), 1_500, -10_000),
        ((u64::MAX, 0), 0, -i64::MAX),
    ] {
        assert_eq!(ahead(read, there), by, "{read:?} {there}");
    }
}
