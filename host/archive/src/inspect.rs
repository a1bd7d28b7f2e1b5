//! What is in an archive. It is for people and decides nothing.

use trellis_claims::{ProviderInspection, inspect_provider};
use trellis_core::CallError;

use crate::program::Programs;
use crate::reader::Reader;
use crate::write::Form;

/// Everything [`inspect()`] found.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// How it is packed.
    pub form: Form,
    /// What its token says, and which checks hold.
    pub token: ProviderInspection,
    /// Its programs, signed or not.
    pub programs: Programs,
}

/// Looks at an archive, whoever signed it and whatever was changed in it.
///
/// # Errors
/// [`trellis_core::Code::Archive`] for what is no archive.
pub fn inspect(archive: &[u8]) -> Result<Inspection, CallError> {
    let reader = Reader::open(archive)?;
    let token = inspect_provider(reader.token());
    let programs = reader.programs(|_| false)?;
    Ok(Inspection { form: Form::of(archive), token, programs })
}
