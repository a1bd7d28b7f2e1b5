//! What the host alone asks of a store, as `trellis:keyvalue_data` states it: for every provider
//! that names it.

use std::collections::BTreeMap;

use trellis_core::wire::Blob;
use trellis_core::{CallError, Code};
use trellis_providers_sdk::data::{
    About, CompareData, CompareDataRequest, DescribeData, EXPIRES_MS_MAX, EraseData,
    EraseDataRequest, ExportData, ExportDataRequest, ImportData, ImportDataRequest, Kind, Page,
    Piece,
};

use super::client::Store;
use crate::suite::assert_refused;

/// Long enough for several pages of any size used here.
const MANY: usize = 1_500;

/// Everything about it, with two bindings that see different keys, which are empty. Both may be of
/// one provider, or of two.
pub async fn check(from: &Store, to: &Store) {
    assert_eq!(all(from, 1).await, BTreeMap::new(), "there is nothing yet");
    apart(&about(from).await, &about(to).await);
    fill(from).await;
    let whole = all(from, 1 << 20).await;
    for bytes_max in [1, 100, 5_000] {
        assert_eq!(all(from, bytes_max).await, whole, "pages of {bytes_max} bytes");
    }
    names(from, whole.len()).await;
    alone(from).await;
    for bytes_max in [300, 1 << 20] {
        copy(from, to, bytes_max).await;
        assert_eq!(all(to, 1 << 20).await, whole);
        assert!(differing(from, to).await.is_empty());
    }
    serves(to).await;
    assert!(!differing(from, to).await.is_empty(), "it was changed since");
    wrong(to).await;
    erase(to).await;
    assert_eq!(all(to, 1 << 20).await, BTreeMap::new());
    assert_eq!(all(from, 1 << 20).await, whole, "another keyspace is untouched");
    times(to).await;
    all_or_none(to).await;
    erase(from).await;
    assert_eq!(from.get("plain").await, Ok(None));
}

async fn about(store: &Store) -> About {
    store.data::<DescribeData>(&()).await.expect("it says which it is")
}

/// What two bindings say of themselves when neither sees a key of the other; and it is some time.
fn apart(one: &About, other: &About) {
    let begins = |it: &About, at: &About| at.prefix.starts_with(&it.prefix);
    let overlap = one.store == other.store && (begins(one, other) || begins(other, one));
    assert!(!overlap, "{one:?} {other:?}");
    let since_2020 = 1_577_836_800_000..EXPIRES_MS_MAX;
    assert!([one, other].iter().all(|it| since_2020.contains(&it.now_ms)), "{one:?} {other:?}");
}

/// What there is of each kind, with awkward keys among it.
async fn fill(store: &Store) {
    store.set("plain", "value").await.expect("Set");
    store.set("", "the empty key").await.expect("Set");
    store.set("a b\0\u{1f}é*[x]?\\", "").await.expect("Set");
    store.add("counter", -7).await.expect("Add");
    store.set_expiring("ends", "late", 3_600).await.expect("Set");
    store.set("large", &"x".repeat(20_000)).await.expect("Set");
    for index in 0..MANY {
        store.push("list", &format!("item {index}")).await.expect("Push");
    }
    store.push("list", "").await.expect("Push");
    assert_eq!(store.list_item_delete("list", "item 700").await, Ok(MANY as i32));
    for index in 0..MANY {
        store.set_add("set", &format!("member {index}")).await.expect("SetAdd");
    }
    store.set_add("set", "").await.expect("SetAdd");
    for index in 0..300 {
        store.set(&format!("many {index}"), &index.to_string()).await.expect("Set");
    }
}

/// Names alone tell of each key what it holds, and nothing of that.
async fn names(store: &Store, count: usize) {
    let mut found = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let keys = Vec::new();
        let asked = ExportDataRequest { cursor, keys, names_only: true, bytes_max: 1 << 20 };
        let page = store.data::<ExportData>(&asked).await.expect("a page");
        for piece in page.pieces {
            assert!(piece.values.is_empty() && piece.begins(), "{piece:?}");
            found.insert(key_of(&piece), (piece.kind, piece.count));
        }
        cursor = page.next;
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(found.len(), count);
    assert_eq!(found["list"], (Kind::List, MANY as u64));
    assert_eq!(found["set"], (Kind::Set, MANY as u64 + 1));
    assert_eq!(found["counter"], (Kind::Text, 1));
}

/// Keys that are asked for by their names come alone, in that order; others are passed over.
async fn alone(store: &Store) {
    let wanted = ["list", "none", "", "counter"].map(Blob::from).to_vec();
    let (mut cursor, mut order) = (String::new(), Vec::new());
    loop {
        let (keys, names_only) = (wanted.clone(), false);
        let asked = ExportDataRequest { cursor, keys, names_only, bytes_max: 2_000 };
        let page = store.data::<ExportData>(&asked).await.expect("a page");
        order.extend(page.pieces.iter().map(key_of));
        cursor = page.next;
        if cursor.is_empty() {
            break;
        }
    }
    assert!(order.len() > 3, "the list takes several pages");
    order.dedup();
    assert_eq!(order, ["list", "", "counter"]);
}

/// What was put there is used as if an actor had written it.
async fn serves(store: &Store) {
    assert_eq!(store.add("counter", 1).await, Ok(-6));
    assert_eq!(store.range("list", 0, 1).await, Ok(vec![String::new(), "item 1499".to_owned()]));
    assert_eq!(store.range("list", -1, -1).await, Ok(vec!["item 0".to_owned()]));
    assert_eq!(store.push("list", "new").await, Ok(MANY as i32 + 1));
    assert_eq!(store.list_item_delete("list", "new").await, Ok(MANY as i32));
    assert_eq!(store.set_add("set", "member 3").await, Ok(MANY as i32 + 1));
    assert_eq!(store.set_remove("set", "").await, Ok(MANY as i32));
    assert_eq!(store.get("a b\0\u{1f}é*[x]?\\").await, Ok(Some(String::new())));
    assert_eq!(store.get("ends").await, Ok(Some("late".to_owned())));
}

/// What makes no sense is refused, and changes nothing.
async fn wrong(store: &Store) {
    let list = Piece { kind: Kind::List, count: 3, start: 2, ..text("other", "c", 0) };
    let set = Piece { kind: Kind::Set, count: 3, start: 2, ..text("other", "c", 0) };
    for piece in [list.clone(), set] {
        assert_refused(import(store, vec![piece]).await, Code::Conflict);
    }
    let ends = Piece { start: 0, expires_ms: 1, ..list };
    assert_refused(import(store, vec![ends]).await, Code::Message);
    assert_eq!(store.key_exists("other").await, Ok(false));
    let cursor = "nonsense".to_owned();
    let asked = ExportDataRequest { cursor, keys: Vec::new(), names_only: false, bytes_max: 1 };
    assert_refused(store.data::<ExportData>(&asked).await, Code::Message);
}

/// A time is one of a clock; what is over is left out, in place of what was there.
async fn times(store: &Store) {
    store.set("over", "old").await.expect("Set");
    let far = 32_503_680_000_000; // the year 3000
    let pieces = vec![text("over", "v", 1), text("far", "v", far), text("never", "v", 0)];
    import(store, pieces.clone()).await.expect("they make sense");
    assert_eq!(store.get("over").await, Ok(None));
    // So the host takes keys away, whatever they hold.
    store.push("listed", "item").await.expect("Push");
    store.set_add("members", "member").await.expect("SetAdd");
    let keys = ["listed", "members", "none"].map(|key| Piece::of_nothing(key.into()));
    import(store, keys.into()).await.expect("they make sense");
    assert_eq!(store.key_exists("listed").await, Ok(false));
    assert_eq!(store.push("members", "a list now").await, Ok(1));
    store.clear("members").await.expect("Clear");
    assert_eq!(store.get("far").await, Ok(Some("v".to_owned())));
    let there = all(store, 1 << 20).await;
    assert_eq!(there["far"].1, far);
    assert_eq!(there["never"].1, 0);
    let request = CompareDataRequest { pieces };
    let same = store.data::<CompareData>(&request).await.expect("it compares");
    assert_eq!(same.keys, Vec::<Blob>::new(), "one that is over need not be there");
    // Written again without a time it has none.
    store.set("far", "v").await.expect("Set");
    assert_eq!(all(store, 1 << 20).await["far"].1, 0);
    erase(store).await;
}

/// Of several pieces one that cannot be put there keeps the others out, and nothing at all is put
/// there without any.
async fn all_or_none(store: &Store) {
    store.set("before", "old").await.expect("Set");
    let list = Piece { kind: Kind::List, count: 3, start: 2, ..text("other", "c", 0) };
    let pieces = vec![text("before", "new", 0), text("first", "v", 0), list];
    assert_refused(import(store, pieces).await, Code::Conflict);
    let far = vec![text("first", "v", 0), text("far", "v", EXPIRES_MS_MAX + 1)];
    assert_refused(import(store, far).await, Code::Message);
    assert_eq!(store.get("before").await, Ok(Some("old".to_owned())));
    assert_eq!(store.key_exists("first").await, Ok(false));
    assert_eq!(import(store, Vec::new()).await, Ok(0), "it takes what is written");
    // As far away as a time may be, and a moment before it is over.
    let latest = vec![text("latest", "v", EXPIRES_MS_MAX)];
    import(store, latest).await.expect("it makes sense");
    assert_eq!(all(store, 1 << 20).await["latest"].1, EXPIRES_MS_MAX);
    erase(store).await;
}

fn key_of(piece: &Piece) -> String {
    trellis_providers_sdk::data::text(&piece.key).expect("actors write texts").to_owned()
}

fn text(key: &str, value: &str, expires_ms: u64) -> Piece {
    let (key, values) = (key.into(), vec![value.into()]);
    Piece { key, kind: Kind::Text, expires_ms, count: 1, start: 0, values }
}

async fn page(store: &Store, cursor: &str, bytes_max: u32) -> Page {
    let (cursor, keys) = (cursor.to_owned(), Vec::new());
    let asked = ExportDataRequest { cursor, keys, names_only: false, bytes_max };
    store.data::<ExportData>(&asked).await.expect("a page")
}

/// Every page, with what each has.
async fn pages(store: &Store, bytes_max: u32) -> Vec<Vec<Piece>> {
    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = page(store, &cursor, bytes_max).await;
        pages.push(page.pieces);
        cursor = page.next;
        if cursor.is_empty() {
            return pages;
        }
    }
}

/// What a key holds, its time, and its elements; members in their order.
type Held = (Kind, u64, Vec<String>);

/// All that a store holds, put together again from pages of about that size.
async fn all(store: &Store, bytes_max: u32) -> BTreeMap<String, Held> {
    let mut all: BTreeMap<String, Held> = BTreeMap::new();
    let mut counts = BTreeMap::new();
    for piece in pages(store, bytes_max).await.into_iter().flatten() {
        let key = key_of(&piece);
        let Piece { kind, expires_ms, count, start, values, .. } = piece;
        let values = values.iter().map(|value| {
            trellis_providers_sdk::data::text(value).expect("actors write texts").to_owned()
        });
        let values: Vec<_> = values.collect();
        let size: usize = values.iter().map(String::len).sum();
        assert!(values.len() == 1 || size < 2 * bytes_max as usize + 1_000, "{key}: {size} bytes");
        let held = all.entry(key.clone()).or_insert((kind, expires_ms, Vec::new()));
        assert_eq!(held.2.len() as u64, start, "the pieces of {key:?} follow one another");
        held.2.extend(values);
        counts.insert(key, count);
    }
    for (key, (kind, _, values)) in &mut all {
        assert_eq!(values.len() as u64, counts[key], "all of {key:?} is there");
        if *kind == Kind::Set {
            values.sort_unstable();
        }
    }
    all
}

async fn import(store: &Store, pieces: Vec<Piece>) -> Result<u64, CallError> {
    Ok(store.data::<ImportData>(&ImportDataRequest { pieces }).await?.keys)
}

async fn copy(from: &Store, to: &Store, bytes_max: u32) {
    let mut begun = 0;
    for pieces in pages(from, bytes_max).await {
        begun += import(to, pieces).await.expect("there is room");
    }
    assert_eq!(begun, all(from, 1 << 20).await.len() as u64);
}

async fn differing(from: &Store, to: &Store) -> Vec<Blob> {
    let mut differing = Vec::new();
    for pieces in pages(from, 1 << 20).await {
        let request = CompareDataRequest { pieces };
        differing.extend(to.data::<CompareData>(&request).await.expect("it compares").keys);
    }
    differing
}

async fn erase(store: &Store) {
    let mut cursor = String::new();
    loop {
        cursor = store.data::<EraseData>(&EraseDataRequest { cursor }).await.expect("it may").next;
        if cursor.is_empty() {
            return;
        }
    }
}
