//! What a record says of each actor, and the JSON text of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};
use trellis_claims::{KeyKind, PublicKey};
use trellis_supervisor::{LastRun, LastRuns, Rights, Stores};

/// The version of the text that is written and read.
const SCHEMA_VERSION: u32 = 1;

/// Most bindings of one actor of which it is known where their data are while they are left out:
/// names may come and go for ever.
const LEFT_OUT_MAX: usize = 100;

/// What is known of actors, by their names.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Content(pub(super) BTreeMap<String, Entry>);

/// What is known of one actor.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Entry {
    pub(super) run: LastRun,
    /// Since when the manifest does not name it, in seconds since 1970.
    pub(super) absent_since: Option<u64>,
}

impl Content {
    pub(super) fn runs(&self) -> LastRuns {
        self.0.iter().map(|(name, entry)| (name.clone(), entry.run.clone())).collect()
    }

    /// Records how an actor ran. What was known of its data stays: the key as long as it was signed
    /// for no other, where they are as long as a binding leads nowhere else, also while it is left
    /// out.
    pub(super) fn keep(&mut self, name: String, mut run: LastRun, absent_since: Option<u64>) {
        let last = self.0.remove(&name).unwrap_or_default();
        keep_stores(&mut run.stores, last.run.stores);
        if run.key.is_none() {
            run.unsigned_key = run.unsigned_key.or(last.run.unsigned_key);
            run.key = last.run.key;
        }
        // An entry without content is not worth a file.
        if run != LastRun::default() {
            self.0.insert(name, Entry { run, absent_since });
        }
    }

    /// The text, in one line.
    pub(super) fn text(&self, manifest: &str) -> String {
        let parts = || self.0.iter();
        let keys: Map<_, _> = parts()
            .filter_map(|(name, entry)| Some((name.clone(), json!(entry.run.key.as_ref()?))))
            .collect();
        let unsigned: Map<_, _> = parts()
            .filter_map(|(name, entry)| {
                Some((name.clone(), json!(entry.run.unsigned_key.as_ref()?)))
            })
            .collect();
        let stores: Map<_, _> = parts()
            .filter(|(_, entry)| !entry.run.stores.is_empty())
            .map(|(name, entry)| (name.clone(), json!(entry.run.stores)))
            .collect();
        let rights: Map<_, _> = parts()
            .filter(|(_, entry)| entry.run.rights != Rights::default())
            .map(|(name, Entry { run: LastRun { rights, .. }, .. })| {
                (name.clone(), json!({ "uses": rights.uses, "calls": rights.calls }))
            })
            .collect();
        let absent: Map<_, _> = parts()
            .filter_map(|(name, entry)| Some((name.clone(), json!(entry.absent_since?))))
            .collect();
        let text = json!({
            "schemaVersion": SCHEMA_VERSION,
            "manifest": manifest,
            "actors": keys,
            "unsigned": unsigned,
            "stores": stores,
            "rights": rights,
            "absentSince": absent,
        });
        format!("{text}\n")
    }

    /// What a text says, as far as it can be understood, and what is wrong with the rest.
    pub(super) fn parse(text: &str) -> (Self, Option<String>) {
        let document: Json = match serde_json::from_str(text) {
            Ok(document) => document,
            Err(error) => return (Self::default(), Some(format!("it is no JSON: {error}"))),
        };
        if document["schemaVersion"] != SCHEMA_VERSION {
            let version = &document["schemaVersion"];
            let why = format!("its schemaVersion is {version}, and {SCHEMA_VERSION} can be read");
            return (Self::default(), Some(why));
        }
        let mut reader = Reader { document, content: Self::default(), flaw: None };
        reader.part("actors", true, |entry, key| {
            entry.run.key = Some(read_key(key)?);
            Some(())
        });
        reader.part("unsigned", false, |entry, key| {
            entry.run.unsigned_key = Some(read_key(key)?);
            Some(())
        });
        reader.part("stores", false, |entry, stores| {
            entry.run.stores = read_stores(stores)?;
            Some(())
        });
        reader.part("rights", false, |entry, rights| {
            entry.run.rights = read_rights(rights)?;
            Some(())
        });
        // Only records of earlier versions have this part.
        reader.part("selfBound", false, |entry, contracts| {
            let whole = texts(contracts)?.into_iter().map(|id| (id, None));
            entry.run.rights.uses.extend(whole);
            Some(())
        });
        reader.part("absentSince", false, |entry, since| {
            entry.absent_since = Some(since.as_u64()?);
            Some(())
        });
        (reader.content, reader.flaw)
    }

    /// Forgets actors that no manifest has named for the longest, until the text has at most
    /// `bytes_max`, `of_frame` of which are for what is not about an actor. Gives their names.
    pub(super) fn shrink(&mut self, of_frame: usize, bytes_max: usize) -> Vec<String> {
        let weights = || self.0.iter().map(|(name, entry)| (name, entry, entry.weight(name)));
        let mut bytes = weights().map(|(.., weight)| weight).sum::<usize>() + of_frame;
        if bytes <= bytes_max {
            return Vec::new();
        }
        let mut absent: Vec<_> = weights()
            .filter_map(|(name, entry, weight)| Some((entry.absent_since?, name.clone(), weight)))
            .collect();
        absent.sort();
        let mut forgotten = Vec::new();
        for (_, name, weight) in absent {
            if bytes <= bytes_max {
                break;
            }
            bytes -= weight;
            self.0.remove(&name);
            forgotten.push(name);
        }
        forgotten
    }
}

/// Adds what was known of bindings that are left out.
fn keep_stores(stores: &mut Stores, before: Stores) {
    let before = before.into_iter().flat_map(|(contract, bindings)| {
        bindings.into_iter().map(move |(name, kind)| (contract.clone(), name, kind))
    });
    let is_left_out = |contract: &str, name: &str| {
        !stores.get(contract).is_some_and(|bindings| bindings.contains_key(name))
    };
    let left_out: Vec<_> =
        before.filter(|(contract, name, _)| is_left_out(contract, name)).collect();
    for (contract, name, kind) in left_out.into_iter().take(LEFT_OUT_MAX) {
        stores.entry(contract).or_default().insert(name, kind);
    }
}

impl Entry {
    /// The bytes it takes in the text, or a few more.
    fn weight(&self, name: &str) -> usize {
        /// `{"uses":{},"calls":[]}`, `null,` or `[],`, and the digits of a time with a comma.
        const RIGHTS: usize = 24;
        const LIST: usize = 5;
        /// `{},`.
        const MAPPING: usize = 3;
        const TIME: usize = 12;
        let (LastRun { key, unsigned_key, stores, rights }, name) = (&self.run, json_bytes(name));
        let list = |texts: &BTreeSet<String>| texts.iter().map(|text| json_bytes(text)).sum();
        let uses = rights
            .uses
            .iter()
            .map(|(id, granted)| json_bytes(id) + LIST + granted.as_ref().map_or(0, list));
        let uses: usize = uses.sum();
        let rights = match *rights == Rights::default() {
            true => 0,
            false => name + RIGHTS + uses + list(&rights.calls),
        };
        let of_store = |(binding, kind): (&String, &String)| json_bytes(binding) + json_bytes(kind);
        let of_contract = |(id, bindings): (&String, &BTreeMap<String, String>)| {
            json_bytes(id) + MAPPING + bindings.iter().map(of_store).sum::<usize>()
        };
        let stores = match stores.is_empty() {
            true => 0,
            false => name + MAPPING + stores.iter().map(of_contract).sum::<usize>(),
        };
        let keys = key.iter().chain(unsigned_key).map(|key| name + json_bytes(key));
        keys.sum::<usize>() + stores + rights + self.absent_since.map_or(0, |_| name + TIME)
    }
}

/// The bytes of a text in JSON, with its quotes and what separates it.
fn json_bytes(text: &str) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' => 2,
        0..=0x1f => 6,
        _ => 1,
    };
    text.bytes().map(escaped).sum::<usize>() + 3
}

/// A document on its way to a content.
struct Reader {
    document: Json,
    content: Content,
    /// The first thing that is wrong.
    flaw: Option<String>,
}

impl Reader {
    /// Reads a part, which has an entry for each actor; `take` takes what it understands.
    fn part(&mut self, part: &str, needed: bool, take: impl Fn(&mut Entry, &Json) -> Option<()>) {
        match &self.document[part] {
            Json::Object(entries) => {
                for (name, value) in entries {
                    let mut entry = self.content.0.get(name).cloned().unwrap_or_default();
                    if take(&mut entry, value).is_some() {
                        self.content.0.insert(name.clone(), entry);
                    } else {
                        let why = format!("its entry `{name}` under `{part}` is damaged");
                        self.flaw.get_or_insert(why);
                    }
                }
            }
            Json::Null if !needed => {}
            _ => drop(self.flaw.get_or_insert(format!("its part `{part}` is damaged"))),
        }
    }
}

fn read_key(key: &Json) -> Option<String> {
    Some(PublicKey::parse_kind(key.as_str()?, KeyKind::Module).ok()?.to_string())
}

fn read_stores(stores: &Json) -> Option<Stores> {
    let of_contract = |(id, bindings): (&String, &Json)| {
        let kind = |(name, kind): (&String, &Json)| Some((name.clone(), kind.as_str()?.to_owned()));
        Some((id.clone(), bindings.as_object()?.iter().map(kind).collect::<Option<_>>()?))
    };
    stores.as_object()?.iter().map(of_contract).collect()
}

fn read_rights(rights: &Json) -> Option<Rights> {
    let uses = rights["uses"].as_object()?.iter().map(|(id, granted)| {
        let granted = match granted {
            Json::Null => None,
            granted => Some(texts(granted)?.into_iter().collect()),
        };
        Some((id.clone(), granted))
    });
    let calls = texts(&rights["calls"])?.into_iter().collect();
    Some(Rights { uses: uses.collect::<Option<_>>()?, calls })
}

fn texts(list: &Json) -> Option<Vec<String>> {
    list.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use trellis_claims::KeyPair;

    use super::*;

    fn entry(key: &str, absent_since: Option<u64>) -> Entry {
        let granted = Some(["Get".to_owned()].into());
        let uses = [("wascc:keyvalue".to_owned(), granted), ("trellis:clock".to_owned(), None)];
        let rights = Rights { uses: uses.into(), calls: ["audit".to_owned()].into() };
        let kinds = [("default".to_owned(), "keyvalue-redis".to_owned())];
        let stores = [("wascc:keyvalue".to_owned(), kinds.into())].into();
        let (unsigned_key, key) = (Some(self::key()), Some(key.to_owned()));
        Entry { run: LastRun { key, unsigned_key, stores, rights }, absent_since }
    }

    fn key() -> String {
        KeyPair::generate(KeyKind::Module).public().to_string()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let name = "a \"name\" \u{1}é".to_owned();
        let content =
            Content([(name, entry(&key(), Some(7))), ("b".into(), entry(&key(), None))].into());
        assert_eq!(Content::parse(&content.text("/app.yaml")), (content, None));
    }

    #[test]
    fn a_record_of_an_earlier_version_is_read() {
        let key = key();
        let text = format!(
            r#"{{"schemaVersion":1,"actors":{{"a":"{key}"}},"selfBound":{{"a":["trellis:clock"]}}}}"#
        );
        let (content, flaw) = Content::parse(&text);
        let a = &content.0["a"].run;
        assert_eq!((a.key.as_ref(), flaw), (Some(&key), None));
        assert!(a.rights.uses.contains_key("trellis:clock"), "{a:?}");
    }

    #[test]
    fn a_damaged_entry_takes_no_other_with_it() {
        let (key, whole) = (key(), Content([("a".into(), entry(&key(), None))].into()));
        let text = whole.text("/app.yaml");
        let broken = key.replace(&key[20..22], "77");
        for (damaged, said) in [
            (text.replace("\"actors\":{", &format!("\"actors\":{{\"b\":\"{broken}\",")), "`b`"),
            (text.replace("\"actors\":{", "\"actors\":{\"b\":7,"), "entry `b` under `actors`"),
            (text.replace("\"absentSince\":{", "\"absentSince\":{\"b\":\"x\""), "`absentSince`"),
            (text.replace("\"rights\":{", "\"rights\":{\"b\":{\"uses\":[]},"), "`rights`"),
            (text.replace("\"unsigned\":{", "\"unsigned\":{\"b\":7,"), "`unsigned`"),
            (text.replace("\"stores\":{", "\"stores\":{\"b\":{\"x\":7},"), "`stores`"),
        ] {
            let (content, flaw) = Content::parse(&damaged);
            assert_eq!(content, whole, "{damaged}");
            assert!(flaw.as_ref().is_some_and(|flaw| flaw.contains(said)), "{said}: {flaw:?}");
        }
        for nothing in ["", "{}", "[]", "{\"schemaVersion\":1}", &text[..text.len() / 2]] {
            let (content, flaw) = Content::parse(nothing);
            assert!(content.0.is_empty() && flaw.is_some(), "{nothing}: {content:?}");
        }
        let later = text.replace("\"schemaVersion\":1", "\"schemaVersion\":2");
        assert!(Content::parse(&later).1.is_some_and(|flaw| flaw.contains("schemaVersion is 2")));
    }

    #[test]
    fn a_full_record_forgets_who_is_absent_the_longest() {
        let actors = (0..200_u64).map(|number| {
            let absent_since = (number < 100).then_some(1_000 - number);
            (format!("\"actor\" {number}"), entry(&key(), absent_since))
        });
        let mut content = Content(actors.collect());
        let whole = content.clone();
        assert!(content.shrink(100, usize::MAX).is_empty());
        assert_eq!(content, whole, "there is room");
        let bytes_max = content.text("/app.yaml").len() * 3 / 4;
        let forgotten = content.shrink(100, bytes_max);
        assert!(content.text("/app.yaml").len() <= bytes_max, "it fits");
        assert!(forgotten.len() < 90, "no more than it has to: {}", forgotten.len());
        let names = (0..forgotten.len()).map(|back| format!("\"actor\" {}", 99 - back));
        assert_eq!(forgotten, names.collect::<Vec<_>>(), "the longest absent first");
        content.shrink(100, 0);
        assert_eq!(content.0.len(), 100, "those that the manifest has are never forgotten");
    }
}
