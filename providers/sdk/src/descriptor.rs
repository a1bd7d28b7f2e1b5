//! What a provider says about itself before it runs.

use trellis_core::Contract;

/// A provider's self-description; static, so that a manifest can be checked without starting it.
#[derive(Clone, Debug)]
pub struct Descriptor {
    /// The name a manifest uses (`builtin: NAME`).
    pub name: &'static str,
    /// Semantic version.
    pub version: &'static str,
    /// One sentence for people.
    pub doc: &'static str,
    /// The contracts it serves.
    pub contracts: Vec<Contract>,
    /// Every value it understands; any other is refused with the nearest of these.
    pub settings: &'static [Setting],
}

/// One value a provider understands.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The key, upper case by custom (`PORT`).
    pub key: &'static str,
    /// Where it may stand.
    pub scope: Scope,
    /// What it must look like.
    pub kind: SettingKind,
    /// The default, as it would be written; `None` when the value is needed or has none.
    pub default: Option<&'static str>,
    /// One sentence for people, with the unit.
    pub doc: &'static str,
}

/// Where a value may stand in a manifest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Under the provider.
    Provider,
    /// Under a binding.
    Binding,
    /// Under either; the binding's wins.
    Both,
}

/// The form of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SettingKind {
    /// Any text.
    Text,
    /// A whole number from 0, within these bounds.
    Integer {
        /// Smallest allowed.
        min: u64,
        /// Largest allowed.
        max: u64,
    },
    /// `true` or `false`.
    Boolean,
    /// A span of time: `500ms`, `5s`, `1m`.
    Duration,
    /// A size: `512`, `16KiB`, `64MiB`.
    Size,
    /// One of these words.
    Choice(&'static [&'static str]),
}
