//! What an archive may say of itself: as the hosts that read it take it, so that nobody signs what
//! none of them runs.

use trellis_archive::Target;
use trellis_artifacts::Executable;

use crate::failure::Failure;

/// Longest word, in bytes: as long as a manifest's may be.
const WORD_BYTES_MAX: usize = 256;
/// How the platforms end whose programs are known by their first bytes.
const LINUX: &str = "-linux";

/// A contract id, as an option of the command line.
///
/// # Errors
/// What it must be.
pub(super) fn contract_id(text: &str) -> Result<String, String> {
    let whole = |(space, name): (&str, &str)| !space.is_empty() && !name.is_empty();
    let is_id = text.split_once(':').is_some_and(whole);
    if is_id && !text.contains(char::is_whitespace) && is_word(text) {
        return Ok(text.to_owned());
    }
    Err("a contract id has a namespace and a name, such as wascc:keyvalue or acme:geo".to_owned())
}

/// A name or a version for people, as an option of the command line.
///
/// # Errors
/// What it must be.
pub(super) fn line(text: &str) -> Result<String, String> {
    if !text.trim().is_empty() && is_word(text) {
        return Ok(text.to_owned());
    }
    Err(format!("it is one line of text, not empty, of {WORD_BYTES_MAX} bytes at most"))
}

fn is_word(text: &str) -> bool {
    text.len() <= WORD_BYTES_MAX && !text.contains(char::is_control)
}

/// Makes sure that a host of that platform would start a program. Of others than Linux nothing is
/// known.
///
/// # Errors
/// Wrong usage for what only a shell would run.
pub(super) fn check_program(
    path: &std::path::Path,
    program: &[u8],
    target: &Target,
) -> Result<(), Failure> {
    if !target.as_str().ends_with(LINUX) || Executable::of(program).is_some() {
        return Ok(());
    }
    let path = path.display();
    let message = format!(
        "{path} is neither an ELF program nor a script that begins with `#!`: no host runs it"
    );
    Err(Failure::usage(message).cure(
        "Name the built program; or have the first line of a script say what runs it, such as \
         `#!/usr/bin/env python3`.",
    ))
}
