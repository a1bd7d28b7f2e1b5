//! Credentials for registries, kept where docker keeps them, so that whoever has logged in with
//! docker has logged in here.

mod file;
mod helper;
mod login;

use std::path::{Path, PathBuf};

use trellis_core::{CallError, Code};

use file::DockerFile;
pub use login::Login;

/// The registry whose credentials go by another name.
const DOCKER_HUB: (&str, &str) = ("docker.io", "https://index.docker.io/v1/");

/// The credentials of a user. Cheap to make: what is kept is read when it is asked for.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Docker's `config.json`; `None` when the user has no home.
    path: Option<PathBuf>,
}

impl Credentials {
    /// Those of the user: `config.json` in `$DOCKER_CONFIG`, else in `~/.docker`.
    #[must_use]
    pub fn of_user() -> Self {
        let set = |name| std::env::var_os(name).filter(|it| !it.is_empty()).map(PathBuf::from);
        let folder = set("DOCKER_CONFIG").or_else(|| Some(set("HOME")?.join(".docker")));
        Self { path: folder.map(|folder| folder.join("config.json")) }
    }

    /// Those in this file.
    #[must_use]
    pub const fn at(path: PathBuf) -> Self {
        Self { path: Some(path) }
    }

    /// Those for a registry, if there are any.
    ///
    /// # Errors
    /// [`Code::Credentials`] when what keeps them cannot be used.
    pub(crate) async fn of(&self, registry: &str) -> Result<Option<Login>, CallError> {
        let Some(path) = &self.path else { return Ok(None) };
        let file = read(path).await?;
        let server = server(registry);
        match file.helper(server)? {
            Some(helper) => helper.get(server).await,
            None => file.login(server),
        }
    }

    /// Keeps credentials for a registry, and gives what keeps them.
    ///
    /// # Errors
    /// [`Code::Credentials`] when they cannot be kept.
    pub async fn keep(&self, registry: &str, login: &Login) -> Result<String, CallError> {
        let path = self.needed()?;
        let mut file = read(path).await?;
        let server = server(registry);
        if let Some(helper) = file.helper(server)? {
            helper.store(server, login).await?;
            return Ok(helper.to_string());
        }
        file.put(server, login);
        write(path, file).await?;
        Ok(path.display().to_string())
    }

    /// Forgets the credentials for a registry; false when there were none.
    ///
    /// # Errors
    /// [`Code::Credentials`] when what keeps them cannot be changed.
    pub async fn forget(&self, registry: &str) -> Result<bool, CallError> {
        let path = self.needed()?;
        let mut file = read(path).await?;
        let server = server(registry);
        if let Some(helper) = file.helper(server)? {
            let known = helper.get(server).await?.is_some();
            if known {
                helper.erase(server).await?;
            }
            return Ok(known);
        }
        let known = file.remove(server);
        if known {
            write(path, file).await?;
        }
        Ok(known)
    }

    fn needed(&self) -> Result<&Path, CallError> {
        self.path.as_deref().ok_or_else(|| {
            let message = "there is no place to keep credentials: set DOCKER_CONFIG or HOME";
            CallError::new(Code::Credentials, message)
        })
    }
}

/// What a registry's credentials go by.
fn server(registry: &str) -> &str {
    if registry == DOCKER_HUB.0 { DOCKER_HUB.1 } else { registry }
}

async fn read(path: &Path) -> Result<DockerFile, CallError> {
    let path = path.to_owned();
    aside(move || DockerFile::read(&path)).await
}

async fn write(path: &Path, file: DockerFile) -> Result<(), CallError> {
    let path = path.to_owned();
    aside(move || file.write(&path)).await
}

/// Works on a thread that may block.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CallError> + Send + 'static,
) -> Result<T, CallError> {
    let panicked = |_| CallError::new(Code::Internal, "reading credentials panicked; see the log");
    tokio::task::spawn_blocking(work).await.map_err(panicked)?
}

#[cfg(test)]
mod tests;
