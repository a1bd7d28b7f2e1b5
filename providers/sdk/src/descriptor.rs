//! What a provider says about itself before it runs.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use trellis_core::{Contract, ContractId};

use crate::setting::Setting;

/// A provider's self-description: all that is known of it without starting it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The name a manifest uses (`builtin: NAME`).
    pub name: Cow<'static, str>,
    /// Semantic version.
    pub version: Cow<'static, str>,
    /// One sentence for people.
    pub doc: Cow<'static, str>,
    /// The contracts it serves.
    pub contracts: Cow<'static, [Contract]>,
    /// Every value it understands; any other is refused.
    pub settings: Cow<'static, [Setting]>,
    /// True when an actor that claims one of its contracts is bound to it without a word in the
    /// manifest.
    #[serde(default)]
    pub implicit: bool,
    /// True when its bindings are given the actor's own `values` of the manifest, whatever their
    /// keys: they mean something to the actor and nothing to the provider.
    #[serde(default)]
    pub actor_values: bool,
    /// True when it keeps data by the actor's key, so that an actor whose key changes loses sight
    /// of what it wrote.
    #[serde(default)]
    pub stateful: bool,
    /// True when it takes any value, whatever its key: it does not say which it understands.
    #[serde(default)]
    pub any_values: bool,
    /// The contract by which the host looks at what it keeps, and moves it to another provider that
    /// names the same one: such as `trellis:keyvalue_data`. The host alone calls it, over the
    /// bindings of the others; no actor can be bound to it.
    #[serde(default)]
    pub data: Option<ContractId>,
}

impl Descriptor {
    /// A provider of these contracts that must be bound and keeps no data. Its texts are a name, a
    /// version and a sentence.
    #[must_use]
    pub const fn new(
        (name, version, doc): (&'static str, &'static str, &'static str),
        contracts: &'static [Contract],
        settings: &'static [Setting],
    ) -> Self {
        Self {
            name: Cow::Borrowed(name),
            version: Cow::Borrowed(version),
            doc: Cow::Borrowed(doc),
            contracts: Cow::Borrowed(contracts),
            settings: Cow::Borrowed(settings),
            implicit: false,
            actor_values: false,
            stateful: false,
            any_values: false,
            data: None,
        }
    }

    /// The contract it serves under that id or alias.
    #[must_use]
    pub fn contract(&self, id: &str) -> Option<&Contract> {
        self.contracts.iter().find(|contract| contract.answers_to(id))
    }

    /// The setting of that key.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.key == key)
    }
}

#[cfg(test)]
mod tests {
    use trellis_core::{ContractId, Direction, Operation};

    use super::*;
    use crate::setting::{Scope, SettingKind};

    fn descriptor() -> Descriptor {
        const WORDS: &[Cow<'static, str>] = &[Cow::Borrowed("fast"), Cow::Borrowed("slow")];
        const MEMORY: &[Cow<'static, str>] = &[Cow::Borrowed(":memory:")];
        const SETTINGS: &[Setting] = &[
            Setting::new("A", Scope::Provider, SettingKind::Text, None, "a."),
            Setting::new(
                "B",
                Scope::Both,
                SettingKind::Integer { min: 1, max: 9 },
                Some("3"),
                "b.",
            ),
            Setting::new(
                "C",
                Scope::Binding,
                SettingKind::Choice(Cow::Borrowed(WORDS)),
                None,
                "c.",
            ),
            Setting::new(
                "D",
                Scope::Provider,
                SettingKind::Path(Cow::Borrowed(MEMORY)),
                None,
                "d.",
            )
            .exclusive(),
        ];
        let echo = Operation {
            name: "Echo".into(),
            direction: Direction::ToProvider,
            doc: "Answers what it got.".into(),
            idempotent: false,
        };
        let contract = Contract {
            id: ContractId::new("test:echo"),
            aliases: vec![ContractId::new("old:echo")].into(),
            operations: vec![echo].into(),
        };
        Descriptor {
            contracts: vec![contract].into(),
            stateful: true,
            data: Some(ContractId::new("test:echo_data")),
            ..Descriptor::new(("test", "1.2.3", "For a test."), &[], SETTINGS)
        }
    }

    #[test]
    fn it_survives_json_and_messagepack() {
        let before = descriptor();
        let json = serde_json::to_string(&before).expect("it is data");
        assert_eq!(serde_json::from_str::<Descriptor>(&json).expect("it reads back"), before);
        let packed = rmp_serde::to_vec_named(&before).expect("it is data");
        assert_eq!(rmp_serde::from_slice::<Descriptor>(&packed).expect("it reads back"), before);
        let compact = rmp_serde::to_vec(&before).expect("it is data");
        assert_eq!(rmp_serde::from_slice::<Descriptor>(&compact).expect("it reads back"), before);
    }

    #[test]
    fn an_older_descriptor_is_neither_implicit_nor_stateful() {
        let json = r#"{"name":"n","version":"1","doc":"d","contracts":[],"settings":[
            {"key":"K","scope":"both","kind":"text","default":null,"doc":"k."}]}"#;
        let read: Descriptor = serde_json::from_str(json).expect("the new fields have defaults");
        assert!(!read.implicit && !read.stateful && !read.settings[0].exclusive);
        assert_eq!(read.data, None, "nothing of it can be moved");
    }
}
