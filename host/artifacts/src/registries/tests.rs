//! Against registries that do what they should not. What a right one does is tested with a real
//! one, in `tools/e2e`.

mod fake;

use std::fs;
use std::path::Path;
use std::time::Duration;

use fake::{Answer, Fake};
use zeroize::Zeroizing;

use trellis_limits::fixed::REGISTRY_FETCHES;

use super::*;
use crate::digest::{digest_of, written_digest};

const MODULE: &[u8] = b"\0asm\x01\0\0\0";
const MODULES: &[ImageKind] = &[ImageKind::Module];
const SECRET: &str = "canary-94d0";
/// Long enough for a machine that is busy, and short enough to be waited for.
const BOUNDS: Bounds = Bounds { silence: Duration::from_secs(1), time: Duration::from_secs(20) };

/// A user who fetches.
struct User {
    folder: tempfile::TempDir,
    registries: Registries,
}

impl User {
    fn new() -> Self {
        Self::within(BOUNDS)
    }

    fn within(bounds: Bounds) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let credentials = Credentials::at(folder.path().join("config.json"));
        Self { registries: Registries::within(credentials, bounds), folder }
    }

    /// One with credentials for a registry.
    async fn known_to(registry: &str) -> Self {
        let user = Self::new();
        let credentials = Credentials::at(user.folder.path().join("config.json"));
        let login = Login::new("ada".to_owned(), Zeroizing::new(SECRET.to_owned()));
        credentials.keep(registry, &login).await.expect("they are kept");
        user
    }

    async fn fetch(&self, image: &str) -> Result<Fetched, CallError> {
        let image = Image::parse(image).expect("a reference");
        let cache = Some(self.folder.path().join("cache"));
        let how = Fetch { cache, plain_http: true, kinds: MODULES, bytes_max: 1_000 };
        self.registries.fetch(&image, &how).await
    }

    async fn fails(&self, image: &str, code: Code, told: &str) {
        let error = self.fetch(image).await.expect_err("it is refused");
        assert_eq!(error.code(), code, "{error}");
        assert!(error.message().contains(told), "{told} not in {error}");
        assert!(!error.message().contains(SECRET), "{error}");
    }

    /// How much content is in the cache, whole or not.
    fn kept(&self) -> usize {
        fs::read_dir(self.folder.path().join("cache/images/blobs")).map_or(0, Iterator::count)
    }
}

#[tokio::test]
async fn what_was_fetched_is_there_when_the_registry_is_not() {
    let (fake, user) = (Fake::of(MODULE).await, User::new());
    let tagged = fake.image(":1");
    let fetched = user.fetch(&tagged).await.expect("it is there");
    assert_eq!(&*fetched.read(1_000).expect("readable"), MODULE);
    assert!(fetched.stale.is_none());
    let asked = fake.asked().len();
    let pinned = fake.image(&format!("@{}", written_digest(&fetched.digest)));
    user.fetch(&pinned).await.expect("it is in the cache");
    assert_eq!(fake.asked().len(), asked, "a digest that is known needs no registry");

    fake.stop();
    let again = user.fetch(&tagged).await.expect("it is in the cache");
    assert_eq!(again.digest, fetched.digest);
    assert_eq!(again.stale.map(|error| error.code()), Some(Code::Registry));
    user.fetch(&pinned).await.expect("it is in the cache");
    user.fails(&fake.image(":2"), Code::Registry, "cannot be reached").await;
}

#[tokio::test]
async fn a_tag_that_moved_is_fetched_anew() {
    let (fake, user) = (Fake::of(MODULE).await, User::new());
    let first = user.fetch(&fake.image(":1")).await.expect("it is there");
    fake.holds(b"\0asm\x01\0\0\0\0");
    let second = user.fetch(&fake.image(":1")).await.expect("it is there");
    assert_ne!(first.digest, second.digest);
    assert_ne!(first.reference, second.reference);
}

#[tokio::test]
async fn another_digest_is_refused_and_nothing_of_it_is_kept() {
    let (fake, user) = (Fake::of(MODULE).await, User::new());
    let (other, wanted) = (digest_of(b"other"), format!("@{}", written_digest(&digest_of(b"x"))));
    user.fails(&fake.image(&wanted), Code::Digest, "a manifest with the digest").await;
    fake.answers("/manifests/", move |manifest| {
        manifest.with("docker-content-digest", written_digest(&other))
    });
    user.fails(&fake.image(":1"), Code::Digest, "a manifest with the digest").await;
    fake.answers("/manifests/", |manifest| manifest);
    for (content, told) in [
        (&b"\0asm\x01\0\0\x01"[..], "content with the digest"),
        (&MODULE[..7], "less than the 8 bytes"),
    ] {
        fake.answers("/blobs/", move |_| Answer::whole(200, content));
        user.fails(&fake.image(":1"), Code::Digest, told).await;
    }
    assert_eq!(user.kept(), 0);
}

#[tokio::test]
async fn an_answer_without_an_end_is_cut() {
    let (fake, user) = (Fake::of(MODULE).await, User::new());
    fake.answers("/blobs/", |_| Answer::endless());
    user.fails(&fake.image(":1"), Code::Digest, "more than the 8 bytes").await;
    fake.answers("/manifests/", |_| Answer::endless());
    user.fails(&fake.image(":1"), Code::Registry, "registry_answer_bytes_max").await;
    assert_eq!(user.kept(), 0);
}

#[tokio::test]
async fn a_registry_that_says_nothing_holds_no_other_one() {
    let (fake, user, other) = (Fake::of(MODULE).await, User::new(), Fake::of(MODULE).await);
    for silent in [Answer::never as fn() -> Answer, Answer::silent] {
        for part in ["/manifests/", "/blobs/"] {
            fake.answers(part, move |_| silent());
            let (image, there) = (fake.image(":1"), other.image(":1"));
            let mut waits =
                std::pin::pin!(user.fails(&image, Code::Registry, "registry_silence_max"));
            other.holds(format!("\0asm{part}").as_bytes());
            tokio::select! {
                () = &mut waits => panic!("the other one had to wait"),
                fetched = user.fetch(&there) => drop(fetched.expect("it is there")),
            }
            waits.await;
            fake.answers(part, |right| right);
        }
    }
}

#[tokio::test]
async fn a_registry_that_sends_a_little_at_a_time_comes_to_an_end() {
    let fake = Fake::of(&[0; 900]).await;
    let user = User::within(Bounds { time: Duration::from_secs(1), ..BOUNDS });
    fake.answers("/blobs/", |_| Answer::dripping());
    user.fails(&fake.image(":1"), Code::Registry, "registry_time_max").await;
    assert_eq!(user.kept(), 0);
}

#[tokio::test]
async fn a_registry_that_fails_is_asked_three_times() {
    let (fake, user) = (Fake::of(MODULE).await, User::new());
    fake.answers("/manifests/", |_| Answer::whole(500, b"oh"));
    user.fails(&fake.image(":1"), Code::Registry, "500").await;
    assert_eq!(fake.asked().len(), 3);
    let failures = std::sync::atomic::AtomicUsize::new(0);
    fake.answers("/manifests/", move |right| {
        // Relaxed: a count.
        let count = failures.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if count == 0 { Answer::whole(503, b"oh") } else { right }
    });
    user.fetch(&fake.image(":1")).await.expect("it is there the second time");
    fake.answers("/manifests/", |_| Answer::whole(404, b"no"));
    user.fails(&fake.image(":2"), Code::NotFound, "no image a:2").await;
}

#[tokio::test]
async fn credentials_are_sent_to_the_registry_they_are_for_and_nowhere_else() {
    let (fake, elsewhere) = (Fake::of(MODULE).await, Fake::of(MODULE).await);
    let user = User::known_to(fake.registry()).await;
    fake.wants_credentials(r#"Basic realm="here""#);
    let place = format!(
        "http://{}/v2/a/blobs/{}",
        elsewhere.registry(),
        written_digest(&digest_of(MODULE))
    );
    fake.answers("/blobs/", move |_| Answer::whole(307, b"").with("location", place.clone()));
    user.fetch(&fake.image(":1")).await.expect("its module is elsewhere");
    assert!(fake.asked().iter().any(|(_, credentials)| credentials.is_some()));
    let asked = elsewhere.asked();
    assert!(
        !asked.is_empty() && asked.iter().all(|(_, credentials)| credentials.is_none()),
        "{asked:?}"
    );

    let realm = format!(r#"Bearer realm="http://{}/token",service="s""#, elsewhere.registry());
    fake.wants_credentials(&realm);
    user.fails(&fake.image(":1"), Code::Registry, "no HTTPS address").await;
    assert_eq!(elsewhere.asked().len(), asked.len());
}

#[tokio::test]
async fn a_token_is_given_for_credentials() {
    let fake = Fake::of(MODULE).await;
    let user = User::known_to(fake.registry()).await;
    let realm = format!(r#"Bearer realm="http://{}/token",service="s""#, fake.registry());
    fake.wants_credentials(&realm);
    fake.answers("/token", |_| Answer::whole(200, br#"{"token": "t0ken"}"#));
    user.fetch(&fake.image(":1")).await.expect("it is there");
    let asked = fake.asked();
    let token =
        asked.iter().find(|(path, _)| path.starts_with("/token")).expect("it was asked for");
    assert_eq!(token.0, "/token?service=s&scope=repository%3Aa%3Apull");
    assert!(token.1.as_ref().is_some_and(|sent| sent.starts_with("Basic ")));
    assert_eq!(asked.last().and_then(|(_, sent)| sent.clone()).as_deref(), Some("Bearer t0ken"));
    fake.answers("/token", |_| Answer::whole(401, b"no"));
    user.fails(&fake.image(":1"), Code::Credentials, "refuses a token").await;
}

#[tokio::test]
async fn who_has_no_credentials_is_told_so() {
    let (fake, user) = (Fake::of(MODULE).await, User::new());
    fake.wants_credentials(r#"Basic realm="here""#);
    user.fails(&fake.image(":1"), Code::Credentials, "to its users only").await;
    fake.wants_credentials("Negotiate");
    user.fails(&fake.image(":1"), Code::Registry, "in no way that is known here").await;
}

#[tokio::test]
async fn redirects_have_an_end() {
    let (fake, user) = (Fake::of(MODULE).await, User::new());
    let place = format!("http://{}/v2/a/blobs/again", fake.registry());
    fake.answers("/blobs/", move |_| Answer::whole(307, b"").with("location", place.clone()));
    user.fails(&fake.image(":1"), Code::Registry, "registry_redirects_max").await;
}

#[tokio::test]
async fn one_registry_is_asked_for_few_images_at_once() {
    let (fake, user) = (Fake::of(MODULE).await, User::new());
    fake.answers("/manifests/", |_| Answer::never());
    let images: Vec<_> = (0..12).map(|tag| fake.image(&format!(":{tag}"))).collect();
    let all = futures_util::future::join_all(images.iter().map(|image| user.fetch(image)));
    let all = all.await;
    assert!(
        all.iter().all(|fetched| matches!(fetched, Err(error) if error.code() == Code::Registry))
    );
    // The others did not have to find out for themselves that it is down.
    let asked = fake.asked().len() as u64;
    assert_eq!(asked, REGISTRY_FETCHES.default);
}

#[tokio::test]
async fn without_a_cache_there_is_no_image() {
    let user = User::new();
    let image = Image::parse("localhost:1/a:1").expect("a reference");
    let how = Fetch { cache: None, plain_http: true, kinds: MODULES, bytes_max: 1 };
    let error = user.registries.fetch(&image, &how).await.expect_err("no place");
    assert_eq!(error.code(), Code::Storage);
    let how = Fetch { cache: Some(Path::new("/dev/null").into()), ..how };
    let fake = Fake::of(MODULE).await;
    let image = Image::parse(&fake.image(":1")).expect("a reference");
    let how = Fetch { bytes_max: 1_000, ..how };
    let error = user.registries.fetch(&image, &how).await.expect_err("no place");
    assert_eq!(error.code(), Code::Storage, "{error}");
}
