//! `trellis keys show`.

use clap::Args;
use trellis_keystore::Keystore;

use super::info::KeyInfo;
use super::kind::Kind;
use crate::failure::Failure;
use crate::output::Output;

#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    /// The key: its name, its public key, or a prefix of either.
    key: String,

    /// Chooses among keys of one name.
    #[arg(long, value_enum, ignore_case = true)]
    kind: Option<Kind>,
}

pub(crate) fn run(args: &ShowArgs, output: Output) -> Result<(), Failure> {
    let key = Keystore::open_default()?.find(&args.key, args.kind.map(Into::into))?;
    output.show(&KeyInfo::from(&key))
}
