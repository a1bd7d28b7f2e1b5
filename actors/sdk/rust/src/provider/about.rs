//! What a provider says of itself.

use trellis_core::wire::writer;
use trellis_core::{CallError, Contract, Direction};

use super::messages::Configuration;

/// What a provider is, beside the contract that it serves.
#[derive(Debug)]
pub struct About {
    name: &'static str,
    version: &'static str,
    doc: &'static str,
    settings: &'static [Setting],
    pub(super) bind: fn(&Configuration) -> Result<(), CallError>,
}

/// A value that a provider understands. A host refuses any other, and those of another form.
#[derive(Debug)]
pub struct Setting {
    key: &'static str,
    form: Form,
    doc: &'static str,
}

/// The form of a value.
#[derive(Debug)]
enum Form {
    Text,
    Boolean,
    Integer { min: u64, max: u64 },
}

impl About {
    /// A provider of that name, version and purpose, in one sentence. It understands no values, and
    /// takes every binding.
    #[must_use]
    pub const fn new(name: &'static str, version: &'static str, doc: &'static str) -> Self {
        Self { name, version, doc, settings: &[], bind: |_| Ok(()) }
    }

    /// The same with the values that it understands.
    #[must_use]
    pub const fn settings(mut self, settings: &'static [Setting]) -> Self {
        self.settings = settings;
        self
    }

    /// The same with what looks at every binding before it is served. It is called again when the
    /// values change, and in each new instance.
    #[must_use]
    pub const fn bind(mut self, bind: fn(&Configuration) -> Result<(), CallError>) -> Self {
        self.bind = bind;
        self
    }

    /// waSCC's `CapabilityDescriptor`, and what Trellis adds to it.
    pub(super) fn descriptor(&self, contract: &Contract) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        let text = |out: &mut Vec<u8>, key: &str, text: &str| {
            writer::text(out, key);
            writer::text(out, text);
        };
        writer::map(&mut out, 8);
        text(&mut out, "id", contract.id.as_str());
        text(&mut out, "name", self.name);
        text(&mut out, "version", self.version);
        writer::text(&mut out, "revision");
        writer::unsigned(&mut out, 0);
        text(&mut out, "long_description", self.doc);
        writer::text(&mut out, "supported_operations");
        writer::list(&mut out, contract.operations.len());
        for operation in contract.operations.iter() {
            writer::map(&mut out, 4);
            text(&mut out, "name", &operation.name);
            text(&mut out, "doctext", &operation.doc);
            writer::text(&mut out, "direction");
            writer::unsigned(&mut out, u64::from(operation.direction == Direction::ToProvider));
            writer::text(&mut out, "idempotent");
            writer::boolean(&mut out, operation.idempotent);
        }
        writer::text(&mut out, "aliases");
        writer::list(&mut out, contract.aliases.len());
        contract.aliases.iter().for_each(|alias| writer::text(&mut out, alias.as_str()));
        writer::text(&mut out, "settings");
        writer::list(&mut out, self.settings.len());
        self.settings.iter().for_each(|setting| setting.write(&mut out));
        out
    }
}

impl Setting {
    /// Any text. The sentence is for people.
    #[must_use]
    pub const fn text(key: &'static str, doc: &'static str) -> Self {
        Self { key, form: Form::Text, doc }
    }

    /// `true` or `false`.
    #[must_use]
    pub const fn boolean(key: &'static str, doc: &'static str) -> Self {
        Self { key, form: Form::Boolean, doc }
    }

    /// A whole number between these two, which are numbers of it too.
    #[must_use]
    pub const fn integer(key: &'static str, (min, max): (u64, u64), doc: &'static str) -> Self {
        Self { key, form: Form::Integer { min, max }, doc }
    }

    fn write(&self, out: &mut Vec<u8>) {
        writer::map(out, 5);
        writer::text(out, "key");
        writer::text(out, self.key);
        writer::text(out, "scope");
        writer::text(out, "both");
        writer::text(out, "default");
        writer::nil(out);
        writer::text(out, "doc");
        writer::text(out, self.doc);
        writer::text(out, "kind");
        match self.form {
            Form::Text => writer::text(out, "text"),
            Form::Boolean => writer::text(out, "boolean"),
            Form::Integer { min, max } => {
                writer::map(out, 1);
                writer::text(out, "integer");
                writer::map(out, 2);
                writer::text(out, "min");
                writer::unsigned(out, min);
                writer::text(out, "max");
                writer::unsigned(out, max);
            }
        }
    }
}
