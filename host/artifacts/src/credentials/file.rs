//! Docker's `config.json`, of which we know three keys and leave all others as they are.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, ErrorKind, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use serde_json::{Map, Value, json};
use tempfile::NamedTempFile;
use trellis_core::{CallError, Code};

use super::helper::Helper;
use super::login::Login;

/// Larger than any such file, in bytes.
const BYTES_MAX: u64 = 1 << 20;

/// What the file holds.
#[derive(Debug)]
pub(super) struct DockerFile {
    /// Where it was read, for messages.
    path: String,
    content: Map<String, Value>,
}

impl DockerFile {
    /// Reads the file; one that is missing is empty. Blocks.
    ///
    /// # Errors
    /// [`Code::Credentials`] when it cannot be read, or is none.
    pub(super) fn read(path: &Path) -> Result<Self, CallError> {
        let wrong = |why: &str| refused(&path.display().to_string(), why);
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Self { path: path.display().to_string(), content: Map::new() });
            }
            Err(error) => return Err(wrong(&error.to_string())),
        };
        let mut text = Vec::new();
        let read = file.take(BYTES_MAX + 1).read_to_end(&mut text);
        read.map_err(|error| wrong(&error.to_string()))?;
        if text.len() as u64 > BYTES_MAX {
            return Err(wrong("it is too large to be docker's"));
        }
        // What JSON says of a mistake may show a part of it.
        let content: Map<_, _> = serde_json::from_slice(&text)
            .map_err(|error| wrong(&format!("line {} is no JSON of docker's", error.line())))?;
        if content.get("auths").is_some_and(|auths| !auths.is_object()) {
            return Err(wrong("its `auths` is no mapping"));
        }
        Ok(Self { path: path.display().to_string(), content })
    }

    /// Replaces the file, for its owner's eyes only. Blocks.
    ///
    /// # Errors
    /// [`Code::Credentials`] when it cannot be written.
    pub(super) fn write(&self, path: &Path) -> Result<(), CallError> {
        self.replace(path).map_err(|error| refused(&self.path, &error.to_string()))
    }

    fn replace(&self, path: &Path) -> io::Result<()> {
        // A link stays one, and leads to the file.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut file = NamedTempFile::with_prefix_in(".config-", folder)?;
        file.as_file().set_permissions(Permissions::from_mode(0o600))?;
        serde_json::to_writer_pretty(&mut file, &self.content)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(path).map(drop).map_err(|error| error.error)
    }

    /// The program that keeps the credentials of a server, if one does.
    ///
    /// # Errors
    /// [`Code::Credentials`] when its name is none.
    pub(super) fn helper(&self, server: &str) -> Result<Option<Helper>, CallError> {
        let of_server = self.content.get("credHelpers").and_then(|it| it.get(server));
        let name = of_server.or_else(|| self.content.get("credsStore")).and_then(Value::as_str);
        let name = name.filter(|name| !name.is_empty());
        name.map(|name| {
            Helper::new(name).ok_or_else(|| {
                refused(&self.path, "it names a program for credentials in a way that is none")
            })
        })
        .transpose()
    }

    /// The credentials of a server.
    ///
    /// # Errors
    /// [`Code::Credentials`] when they are not of a kind that is known here.
    pub(super) fn login(&self, server: &str) -> Result<Option<Login>, CallError> {
        let Some(entry) = self.content.get("auths").and_then(|it| it.get(server)) else {
            return Ok(None);
        };
        let text = |key: &str| entry.get(key).and_then(Value::as_str).filter(|it| !it.is_empty());
        if text("identitytoken").is_some() {
            let why = format!("the identity token for {server} is of a kind that is not used here");
            return Err(refused(&self.path, &why));
        }
        // Without it, the entry says that a program keeps them, or kept them.
        let Some(written) = text("auth") else { return Ok(None) };
        let login = Login::decoded(written);
        let wrong = || refused(&self.path, &format!("what it has for {server} cannot be read"));
        login.map(Some).ok_or_else(wrong)
    }

    /// Puts the credentials of a server into it.
    pub(super) fn put(&mut self, server: &str, login: &Login) {
        let auths = self.content.entry("auths").or_insert_with(|| json!({}));
        let entry = &mut auths[server];
        if !entry.is_object() {
            *entry = json!({});
        }
        entry["auth"] = json!(*login.encoded());
        if let Some(entry) = entry.as_object_mut() {
            // It would be used in place of what is new.
            entry.remove("identitytoken");
        }
    }

    /// Takes the credentials of a server out; false when there are none.
    pub(super) fn remove(&mut self, server: &str) -> bool {
        let auths = self.content.get_mut("auths").and_then(Value::as_object_mut);
        auths.is_some_and(|auths| auths.remove(server).is_some())
    }
}

fn refused(path: &str, why: &str) -> CallError {
    CallError::new(Code::Credentials, format!("the credentials in {path} cannot be used: {why}"))
}
