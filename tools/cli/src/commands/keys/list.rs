//! `trellis keys list`.

use std::fmt;

use serde::Serialize;
use trellis_keystore::Keystore;

use super::info::KeyInfo;
use crate::failure::Failure;
use crate::output::Output;

#[derive(Serialize)]
struct Keys {
    folder: String,
    keys: Vec<KeyInfo>,
    /// Key files that cannot be used, and why.
    problems: Vec<Failure>,
}

pub(crate) fn run(output: Output) -> Result<(), Failure> {
    let keystore = Keystore::open_default()?;
    let folder = keystore.dir().display().to_string();
    let mut list = Keys { folder, keys: Vec::new(), problems: Vec::new() };
    for entry in keystore.entries()? {
        match keystore.open(entry) {
            Ok(key) => list.keys.push(KeyInfo::from(&key)),
            Err(error) => list.problems.push(error.into()),
        }
    }
    if !output.is_document() {
        for problem in &list.problems {
            output.note(problem.to_string().trim_end());
        }
    }
    if list.keys.is_empty() && list.problems.is_empty() {
        output.note(format_args!("no keys in {} yet: `trellis keys gen account`", list.folder));
    }
    output.show(&list)
}

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.keys.iter().map(|key| key.name.chars().count()).max().unwrap_or(0);
        for key in &self.keys {
            writeln!(f, "{:<width$}  {:<8}  {}", key.name, key.kind, key.public_key)?;
        }
        Ok(())
    }
}
