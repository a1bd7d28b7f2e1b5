//! What a module says that it serves, read with the tolerance that the originals' guests need.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use trellis_core::{CallError, Code, Contract, ContractId, Direction, Operation, wire};
use trellis_providers_sdk::{Descriptor, Setting};

use super::messages::OF_THE_HOST;
use crate::foreign::wrong_with;
use crate::text::shown;

/// Longest descriptor, in bytes.
pub(super) const DESCRIPTOR_BYTES_MAX: usize = 256 << 10;
/// Longest text for people, in bytes.
const TEXT_BYTES_MAX: usize = 4 << 10;

/// waSCC's `CapabilityDescriptor`, in its order, and then what we add. The originals write the keys
/// in snake case; a guest in camel case means the same.
#[derive(Deserialize)]
struct Told {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default, rename = "revision")]
    _revision: IgnoredAny,
    #[serde(default, alias = "longDescription")]
    long_description: String,
    #[serde(default, alias = "supportedOperations")]
    supported_operations: Vec<ToldOperation>,
    #[serde(default)]
    aliases: Vec<String>,
    /// `None` when it does not say which values it understands.
    #[serde(default)]
    settings: Option<Vec<Setting>>,
}

#[derive(Deserialize)]
struct ToldOperation {
    name: String,
    #[serde(default)]
    direction: Way,
    #[serde(default)]
    doctext: String,
    #[serde(default)]
    idempotent: bool,
}

/// Which way an operation goes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum Way {
    ToActor,
    #[default]
    ToProvider,
    Both,
}

impl Way {
    const fn of(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::ToActor),
            1 => Some(Self::ToProvider),
            2 => Some(Self::Both),
            _ => None,
        }
    }
}

/// It is written as its number, as its word, or as a map with either as its only key: serializers
/// of enums differ.
impl<'de> Deserialize<'de> for Way {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Way;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a direction: 0 to the actor, 1 to the provider, 2 both")
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Way, E> {
                Way::of(number).ok_or_else(|| E::custom("no such direction"))
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Way, E> {
                match word {
                    "ToActor" | "to_actor" | "toActor" => Ok(Way::ToActor),
                    "ToProvider" | "to_provider" | "toProvider" => Ok(Way::ToProvider),
                    "Both" | "both" => Ok(Way::Both),
                    _ => Err(E::custom("no such direction")),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Way, A::Error> {
                let way = map.next_key()?.ok_or_else(|| A::Error::custom("no direction"))?;
                map.next_value::<IgnoredAny>()?;
                Ok(way)
            }
        }

        input.deserialize_any(Reader)
    }
}

/// The descriptor in what a module answered.
///
/// # Errors
/// [`Code::Provider`], as the rest of a sentence about the module.
pub(super) fn read(answer: &[u8]) -> Result<Descriptor, CallError> {
    if answer.len() > DESCRIPTOR_BYTES_MAX {
        let bytes = answer.len();
        return Err(wrong(format!(
            "its descriptor has {bytes} bytes; {DESCRIPTOR_BYTES_MAX} are possible"
        )));
    }
    let told: Told = wire::decode(answer)
        .map_err(|error| wrong(format!("its descriptor is none: {}", error.message())))?;
    let descriptor = descriptor(told)?;
    wrong_with(&descriptor).map_or(Ok(descriptor), |why| Err(wrong(why)))
}

fn descriptor(told: Told) -> Result<Descriptor, CallError> {
    let Told { id, version, long_description, supported_operations, aliases, settings, .. } = told;
    let name = if told.name.is_empty() { id.clone() } else { told.name };
    if let Some(other) = std::iter::once(&id).chain(&aliases).find(|id| !is_contract(id)) {
        let other = shown(other, 40);
        return Err(wrong(format!("it serves `{other}`, which is no contract id (`demo:geo`)")));
    }
    let mut operations: Vec<Operation> = Vec::with_capacity(supported_operations.len());
    for operation in supported_operations {
        // What is said between it and the host is no part of the contract.
        if !OF_THE_HOST.contains(&operation.name.as_str()) {
            operations.push(self::operation(operation)?);
        }
    }
    if operations.is_empty() {
        return Err(wrong("it lists no operation that an actor could ask for"));
    }
    let mut names: Vec<_> = operations.iter().map(|it| &*it.name).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(wrong(format!("it lists the operation `{}` twice", shown(pair[0], 40))));
    }
    let contract = Contract {
        id: ContractId::new(id),
        aliases: aliases.into_iter().map(ContractId::new).collect(),
        operations: operations.into(),
    };
    let text = |text: &str| Cow::Owned(shown(text, TEXT_BYTES_MAX));
    Ok(Descriptor {
        name: name.into(),
        version: text(&version),
        doc: text(&long_description),
        contracts: vec![contract].into(),
        any_values: settings.is_none(),
        settings: settings.unwrap_or_default().into_iter().map(shared).collect(),
        ..Descriptor::new(("", "", ""), &[], &[])
    })
}

fn operation(told: ToldOperation) -> Result<Operation, CallError> {
    let ToldOperation { name, direction, doctext, idempotent } = told;
    if direction == Way::ToActor {
        let name = shown(&name, 40);
        return Err(wrong(format!(
            "it brings calls to actors (`{name}`), which no module can: run it as a program"
        )));
    }
    let doc = shown(&doctext, TEXT_BYTES_MAX).into();
    Ok(Operation { name: name.into(), direction: Direction::ToProvider, doc, idempotent })
}

/// A module holds no file and no port that another instance would be in the way of.
fn shared(setting: Setting) -> Setting {
    Setting { exclusive: false, ..setting }
}

/// True for what claims and manifests can name as a contract.
fn is_contract(id: &str) -> bool {
    let parts = id.split_once(':');
    parts.is_some_and(|(namespace, name)| !namespace.is_empty() && !name.is_empty())
}

fn wrong(why: impl Into<Cow<'static, str>>) -> CallError {
    CallError::new(Code::Provider, why)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(told: &Value) -> Result<Descriptor, String> {
        let bytes = wire::encode(told).expect("it is JSON");
        super::read(&bytes).map_err(|error| error.message().to_owned())
    }

    fn with_operations(operations: Value) -> Value {
        json!({ "id": "demo:geo", "name": "geo", "version": "0.1.0", "revision": 1,
            "long_description": "Where places\nare.", "supported_operations": operations })
    }

    #[test]
    fn every_form_of_the_originals_is_read() {
        for direction in [json!(1), json!(2), json!("to_provider"), json!("ToProvider")] {
            let operation = json!({ "name": "Locate", "direction": direction, "doctext": "x" });
            let told = with_operations(json!([operation, { "name": "BindActor", "direction": 1 }]));
            let descriptor = read(&told).expect("it is one");
            assert_eq!((&*descriptor.name, &*descriptor.version), ("geo", "0.1.0"));
            assert_eq!(descriptor.doc, "Where places are.");
            let contract = descriptor.contract("demo:geo").expect("its contract");
            let names: Vec<_> = contract.operations.iter().map(|it| &*it.name).collect();
            assert_eq!(names, ["Locate"], "no actor may ask to be bound");
            assert!(descriptor.any_values, "it does not say which values it understands");
        }
        let array = json!(["demo:geo", "geo", "1", 1, "doc", [["Locate", 2, "x"]]]);
        assert!(read(&array).is_ok(), "structs are arrays in the first generation");
    }

    /// `{direction: {1: nil}}`.
    #[test]
    fn a_direction_may_be_a_map_with_its_number() {
        let told = b"\x82\xa2id\xa3a:b\xb4supported_operations\x91\x82\xa4name\xa1X\
            \xa9direction\x81\x01\xc0";
        let descriptor = super::read(told).expect("it is one");
        assert_eq!(descriptor.name, "a:b", "without a name it goes by its contract");
    }

    #[test]
    fn what_we_add_is_read() {
        let mut told = with_operations(json!([{ "name": "Locate", "idempotent": true }]));
        told["aliases"] = json!(["old:geo"]);
        told["settings"] = json!([{ "key": "PLACES", "scope": "both", "kind": "text",
            "default": null, "doc": "More." }]);
        let descriptor = read(&told).expect("it is one");
        let contract = descriptor.contract("old:geo").expect("its alias");
        assert!(contract.operations[0].idempotent);
        assert!(!descriptor.any_values);
        assert_eq!(descriptor.settings[0].key, "PLACES");
    }

    #[test]
    fn lies_are_told_in_words() {
        let locate = json!({ "name": "Locate", "direction": 1 });
        let mut nameless = with_operations(json!([locate]));
        nameless["id"] = json!("geo");
        let many: Vec<_> = (0..1_001).map(|n| json!({ "name": format!("O{n}") })).collect();
        for (told, why) in [
            (json!(7), "its descriptor is none"),
            (json!({ "name": "geo" }), "missing field `id`"),
            (nameless, "`geo`, which is no contract id"),
            (with_operations(json!([])), "it lists no operation"),
            (with_operations(json!([{ "name": "RemoveActor" }])), "it lists no operation"),
            (with_operations(json!([locate, locate])), "the operation `Locate` twice"),
            (with_operations(json!([{ "name": "Deliver", "direction": 0 }])), "calls to actors"),
            (with_operations(json!([{ "name": "X", "direction": 9 }])), "no such direction"),
            (with_operations(json!([{ "name": "a\nb" }])), "a name that is none"),
            (with_operations(json!(many)), "more than 1000 of a kind"),
        ] {
            let error = read(&told).expect_err(why);
            assert!(error.contains(why), "{why}: {error}");
        }
        let huge = "x".repeat(DESCRIPTOR_BYTES_MAX);
        let error = read(&json!({ "id": huge })).expect_err("it is too long");
        assert!(error.contains("are possible"), "{error}");
    }
}
