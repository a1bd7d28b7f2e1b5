//! Hosts by names of the user's own: where each is asked, and with which token.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use trellis_core::{Code, nearest_name};
use trellis_keystore::destination::{self, Existing, Privacy};

use crate::failure::Failure;
use crate::files;

/// The file, below the user's folder for settings.
const FILE: &str = "trellis/contexts.json";
/// Who may change where tokens go.
const OTHERS_MAY_WRITE: u32 = 0o022;
/// Longest name of a context.
const NAME_CHARS_MAX: usize = 64;

/// A host as its user speaks of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    /// As `--host` has it.
    pub(crate) host: String,
    /// The file with the token, for an admin address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token_file: Option<PathBuf>,
}

/// All of them.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contexts {
    /// The one that is used when nothing else is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<String>,
    #[serde(default)]
    pub(crate) contexts: BTreeMap<String, Context>,
}

impl Contexts {
    /// Those of this user; none without a file.
    ///
    /// # Errors
    /// When the file cannot be read, is none, or may be changed by others.
    pub(crate) fn load() -> Result<Self, Failure> {
        match path() {
            Some(path) if path.exists() => Self::read(&path),
            _ => Ok(Self::default()),
        }
    }

    fn read(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let mode = fs::metadata(path).map(|it| it.permissions().mode());
        let mode = mode.map_err(|error| Failure::file(format!("cannot read {shown}"), &error))?;
        if mode & OTHERS_MAY_WRITE != 0 {
            let message = format!("others may change {shown}, and with it where tokens are sent");
            return Err(Failure::new(Code::Denied, message)
                .cure(format!("Look at it, and `chmod 600 {shown}`.")));
        }
        serde_json::from_slice(&files::read_input(path)?).map_err(|error| {
            Failure::usage(format!("{shown} has no contexts: {error}"))
                .cure("Mend it, or remove it and make contexts anew with `trellis context create`.")
        })
    }

    /// Keeps them.
    ///
    /// # Errors
    /// When there is no place for them, or it cannot be written.
    pub(crate) fn save(&self) -> Result<(), Failure> {
        let path = path().ok_or_else(|| {
            Failure::usage("no folder for contexts: neither XDG_CONFIG_HOME nor HOME is set")
                .cure("Set HOME, or name the host with `--host` each time.")
        })?;
        let failed = |error: std::io::Error| {
            Failure::file(format!("cannot write {}", path.display()), &error)
        };
        path.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
        let text = serde_json::to_string_pretty(self).expect("names are strings");
        let text = format!("{text}\n");
        destination::write(&path, text.as_bytes(), Privacy::OwnerOnly, Existing::Replace)
            .map_err(|error| Failure::file(format!("cannot write {}", path.display()), &error))
    }

    /// The one of that name.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn get(&self, name: &str) -> Result<&Context, Failure> {
        self.contexts.get(name).ok_or_else(|| {
            let near = nearest_name(name, self.contexts.keys().map(String::as_str));
            let failure = Failure::new(Code::NotFound, format!("there is no context `{name}`"));
            failure.cure(match near {
                Some(near) => format!("Did you mean `{near}`?"),
                None => "`trellis context list` shows them, `create` makes one.".to_owned(),
            })
        })
    }

    /// The one that is used when nothing else is said.
    ///
    /// # Errors
    /// When that is not there any more.
    pub(crate) fn current(&self) -> Result<Option<&Context>, Failure> {
        self.current.as_deref().map(|name| self.get(name)).transpose()
    }
}

/// A name as it may be typed, listed and completed.
pub(crate) fn is_name(text: &str) -> bool {
    let fits = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
    !text.is_empty()
        && text.len() <= NAME_CHARS_MAX
        && text.chars().all(fits)
        && !text.starts_with(['-', '.'])
}

/// Where they are kept; `None` when the user has no folder.
fn path() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")))?;
    Some(folder.join(FILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_read_as_they_are_written_and_only_from_a_file_of_the_user() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("contexts.json");
        let token_file = Some(PathBuf::from("/t.jwt"));
        let far = Context { host: "http://127.0.0.1:1".to_owned(), token_file };
        let current = Some("far".to_owned());
        let contexts = Contexts { current, contexts: [("far".to_owned(), far)].into() };
        let write = |text: &str, mode| {
            fs::write(&path, text).expect("it is writable");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
            Contexts::read(&path)
        };
        let text = serde_json::to_string(&contexts).expect("names are strings");
        assert_eq!(write(&text, 0o600).expect("it is right"), contexts);
        assert_eq!(write(&text, 0o620).expect_err("others").code(), "E_DENIED");
        for wrong in ["", "1", r#"{"contexts": {"a": {"hots": "b"}}}"#] {
            assert!(write(wrong, 0o600).is_err(), "{wrong}");
        }
        assert!(contexts.current().expect("it is there").is_some());
        let near = contexts.get("fra").expect_err("it is none");
        assert!(near.to_string().contains("far"), "{near}");
        let gone = Contexts { contexts: BTreeMap::new(), ..contexts };
        assert!(gone.current().is_err(), "nobody else is asked in its place");
    }

    #[test]
    fn a_name_is_a_word() {
        assert!(is_name("prod-1.eu") && is_name("a"));
        for text in ["", "-a", ".a", "a b", "a/b", "ä", &"a".repeat(65)] {
            assert!(!is_name(text), "{text}");
        }
    }
}
