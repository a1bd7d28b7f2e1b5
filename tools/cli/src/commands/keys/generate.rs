//! `trellis keys gen`.

use std::fmt;

use clap::Args;
use serde::Serialize;
use trellis_keystore::{DEFAULT_NAME, KeyName, Keystore, Stored};

use super::info::KeyInfo;
use super::kind::Kind;
use crate::failure::Failure;
use crate::output::Output;

#[derive(Args, Debug)]
pub(crate) struct GenArgs {
    /// What the key is for.
    #[arg(value_enum, ignore_case = true)]
    kind: Kind,

    /// What to call it.
    #[arg(default_value = DEFAULT_NAME)]
    name: String,
}

#[derive(Serialize)]
struct Generated {
    created: bool,
    #[serde(flatten)]
    key: KeyInfo,
}

impl fmt::Display for Generated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt(f)
    }
}

pub(crate) fn run(args: &GenArgs, output: Output) -> Result<(), Failure> {
    let name: KeyName = args.name.parse()?;
    let keystore = Keystore::open_default()?;
    let (key, came) = keystore.get_or_create(&name, args.kind.into())?;
    if came == Stored::Unchanged {
        output.note(format_args!("the {} key `{name}` exists already; unchanged", key.entry.kind));
    }
    output.show(&Generated { created: came == Stored::Created, key: KeyInfo::from(&key) })
}
