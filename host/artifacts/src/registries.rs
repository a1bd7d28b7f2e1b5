//! Images: from a reference to content in the cache, and back into a registry.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use trellis_core::{CallError, Code};
use trellis_limits::fixed::{IMAGE_CACHE, REGISTRY_ANSWER, REGISTRY_TIME};

use crate::blob::Blob;
use crate::credentials::{Credentials, Login};
use crate::digest::Digest;
use crate::image::Image;
use crate::image_kind::ImageKind;
use crate::reference::Reference;
use crate::registry::http::{Bounds, Http, Trouble};
use crate::registry::login::check_login;
use crate::registry::manifest::{Held, held_by};
use crate::registry::pull::{pull_content, pull_manifest};
use crate::registry::push::{self, Package, Pushed};
use crate::registry::session::{Session, Who};
use crate::store::{Hashed, Kept, Store};
use crate::turns::Turns;

/// The folder of images in a cache folder.
const FOLDER: &str = "images";
/// Most threads that use a cache at once: a disk that hangs keeps those it has, and no more.
const CACHE_THREADS: usize = 8;

/// The way to registries. Cheap to clone, and the clones share what is bounded.
#[derive(Clone, Debug)]
pub struct Registries(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    http: Http,
    credentials: Credentials,
    turns: Turns,
    hashed: Hashed,
    /// Who may use a cache, each on a thread.
    threads: Arc<Semaphore>,
}

/// How an image is fetched.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// The cache folder; without one there is no place for an image.
    pub cache: Option<PathBuf>,
    /// True to speak plain HTTP with its registry.
    pub plain_http: bool,
    /// What it may hold.
    pub kinds: &'static [ImageKind],
    /// The largest that may be, in bytes.
    pub bytes_max: u64,
}

/// An image that is in the cache.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// What it holds. Nobody removes it from the cache while this lives, or a clone.
    pub reference: Reference,
    /// What that is.
    pub kind: ImageKind,
    /// The digest of its manifest: what its tag stands for.
    pub digest: Digest,
    /// Why its tag could not be resolved now, and stands for what it stood for the last time.
    pub stale: Option<CallError>,
}

impl Fetched {
    /// Its content, as many bytes as `bytes_max`. Blocks.
    ///
    /// # Errors
    /// [`Code::Storage`] and [`Code::NotFound`] when the cache cannot be read, [`Code::Digest`]
    /// when it was changed, [`Code::ModuleLimit`] when it is larger.
    pub fn read(&self, bytes_max: u64) -> Result<Bytes, CallError> {
        self.reference.read(bytes_max).map(|content| content.bytes)
    }
}

impl Registries {
    /// With these credentials.
    #[must_use]
    pub fn new(credentials: Credentials) -> Self {
        Self::within(credentials, Bounds::default())
    }

    pub(crate) fn within(credentials: Credentials, bounds: Bounds) -> Self {
        let (turns, hashed) = (Turns::default(), Hashed::default());
        let threads = Arc::new(Semaphore::new(CACHE_THREADS));
        Self(Arc::new(Shared { http: Http::new(bounds), credentials, turns, hashed, threads }))
    }

    /// The content of an image, in the cache. Errors do not name the image: the caller does.
    ///
    /// A digest whose content is in the cache needs no registry. A tag is resolved each time; while
    /// its registry is down it stands for what it was resolved to the last time.
    ///
    /// # Errors
    /// [`Code::NotFound`], [`Code::Registry`], [`Code::Digest`] and [`Code::Credentials`] of the
    /// registry; [`Code::Image`], [`Code::ModuleLimit`] and [`Code::Archive`] of what it holds;
    /// [`Code::Storage`] of the cache.
    pub async fn fetch(&self, image: &Image, how: &Fetch) -> Result<Fetched, CallError> {
        let cache = how.cache.as_ref().ok_or_else(no_cache)?;
        let hashed = Arc::clone(&self.0.hashed);
        let store = Store::new(cache.join(FOLDER), hashed, IMAGE_CACHE.default);
        if let Some(digest) = image.digest()
            && let Some(fetched) = self.known(&store, image, digest, how).await?
        {
            return Ok(fetched);
        }
        let fetching = async {
            let turn = self.0.turns.wait(image.registry()).await?;
            let fetched = self.fetch_now(&store, image, how).await;
            if let Err(trouble) = &fetched
                && trouble.is_down
            {
                turn.found_down(&trouble.error);
            }
            fetched
        };
        let fetched = timeout(self.0.http.bounds.time, fetching).await;
        let error = match fetched.unwrap_or_else(|_| Err(late(image.registry()))) {
            Err(trouble) if trouble.is_outage() => trouble.error,
            done => return done.map_err(|trouble| trouble.error),
        };
        let resolved = {
            let (store, image) = (store.clone(), image.clone());
            self.aside(move || Ok(store.tag(&image))).await?
        };
        let Some(digest) = resolved else { return Err(error) };
        let known = self.known(&store, image, &digest, how).await?;
        let stale = Some(error.clone());
        known.map(|known| Fetched { stale, ..known }).ok_or(error)
    }

    /// Puts an image into its registry.
    ///
    /// # Errors
    /// [`Code::Registry`] and [`Code::Credentials`] of the registry; [`Code::Digest`] when the
    /// reference has another digest than the image.
    pub async fn push(
        &self,
        image: &Image,
        package: Package,
        plain_http: bool,
    ) -> Result<Pushed, CallError> {
        let pushing = async {
            let mut session = self.session(image, plain_http, "pull,push")?;
            push::push(&mut session, image, package).await
        };
        let pushed = timeout(self.0.http.bounds.time, pushing).await;
        pushed.unwrap_or_else(|_| Err(late(image.registry()))).map_err(|trouble| trouble.error)
    }

    /// Asks a registry whether it takes these credentials.
    ///
    /// # Errors
    /// [`Code::Credentials`] when it does not, [`Code::Registry`] when it cannot be asked.
    pub async fn check_login(
        &self,
        registry: &str,
        login: &Login,
        plain_http: bool,
    ) -> Result<(), CallError> {
        let asking = async {
            let who = Who::Given(login);
            let mut session = Session::new(&self.0.http, registry, plain_http, who)?;
            check_login(&mut session, login).await
        };
        let asked = timeout(self.0.http.bounds.time, asking).await;
        asked.unwrap_or_else(|_| Err(late(registry))).map_err(|trouble| trouble.error)
    }

    async fn fetch_now(
        &self,
        store: &Store,
        image: &Image,
        how: &Fetch,
    ) -> Result<Fetched, Trouble> {
        let mut session = self.session(image, how.plain_http, "pull")?;
        let (manifest, digest) = pull_manifest(&mut session, image).await?;
        let held = held_by(&manifest, (how.kinds, how.bytes_max))?;
        let there = {
            let store = store.clone();
            self.aside(move || store.find(&held.digest)).await?
        };
        let kept = match there {
            Some(kept) => kept,
            None => self.download(&mut session, store, (image, held)).await?,
        };
        let (store, pinned) = (store.clone(), image.clone());
        self.aside(move || {
            store.write(&manifest)?;
            if pinned.digest().is_some() { Ok(()) } else { store.pin(&pinned, &digest) }
        })
        .await?;
        Ok(fetched(image, digest, &held, kept))
    }

    fn session<'a>(
        &'a self,
        image: &'a Image,
        plain_http: bool,
        actions: &str,
    ) -> Result<Session<'a>, Trouble> {
        let who = Who::Kept(&self.0.credentials);
        let session = Session::new(&self.0.http, image.registry(), plain_http, who)?;
        Ok(session.about(image.name(), actions))
    }

    async fn download(
        &self,
        session: &mut Session<'_>,
        store: &Store,
        (image, held): (&Image, Held),
    ) -> Result<Kept, Trouble> {
        let begun = {
            let store = store.clone();
            self.aside(move || {
                let file = store.begin()?;
                let written = file.as_file().try_clone()?;
                Ok((file, written))
            })
        };
        let (file, written) = begun.await?;
        pull_content(session, (image, &held), written).await?;
        let store = store.clone();
        Ok(self.aside(move || store.keep(file, &held.digest)).await?)
    }

    /// What the cache has of an image, if that is all of it.
    async fn known(
        &self,
        store: &Store,
        image: &Image,
        digest: &Digest,
        &Fetch { kinds, bytes_max, .. }: &Fetch,
    ) -> Result<Option<Fetched>, CallError> {
        let (store, image, digest) = (store.clone(), image.clone(), *digest);
        let looked = move || {
            let Some(manifest) = store.read(&digest, REGISTRY_ANSWER.default)? else {
                return Ok(None);
            };
            let held = match held_by(&manifest, (kinds, bytes_max)) {
                Ok(held) => held,
                Err(error) => return Ok(Some(Err(error))),
            };
            let kept = store.find(&held.digest)?;
            Ok(kept.map(|kept| Ok(fetched(&image, digest, &held, kept))))
        };
        self.aside(looked).await?.transpose()
    }

    /// Uses the cache on a thread that may block.
    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, CallError> {
        // It is never closed.
        let thread = Arc::clone(&self.0.threads).acquire_owned().await.ok();
        let working = spawn_blocking(move || {
            let _held = thread;
            work()
        });
        match working.await {
            Ok(done) => done.map_err(|error| Trouble::of_disk(&error).error),
            Err(_) => Err(CallError::new(Code::Internal, "using the cache panicked; see the log")),
        }
    }
}

fn fetched(image: &Image, digest: Digest, held: &Held, kept: Kept) -> Fetched {
    let blob = Blob {
        image: image.to_string(),
        short_name: image.short_name().to_owned(),
        path: kept.path,
        digest: held.digest,
        _held: kept.file,
    };
    let reference = Reference::Blob(Arc::new(blob));
    Fetched { reference, kind: held.kind, digest, stale: None }
}

fn late(registry: &str) -> Trouble {
    Trouble::of_time(registry, &REGISTRY_TIME)
}

fn no_cache() -> CallError {
    let message = "an image is kept in the cache folder, and there is none: name one \
                   (`--cache-dir`), or name a file in place of the image";
    CallError::new(Code::Storage, message)
}

#[cfg(test)]
mod tests;
