//! Whom a manifest trusts, read apart from everything else it says.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use parking_lot::Mutex;
use trellis_claims::{ClaimsError, PublicKey, TrustList, Unsigned};
use trellis_core::{CallError, Code};
use trellis_keystore::Keystore;
use trellis_manifest::{Problem, ReadableTrust, SourceText, Span, Spanned, TrustSpec, keys_in};

use crate::failure::Failure;
use crate::readiness::Lasting;

/// The account key that counts when a manifest names no issuers: `default` of the user's keystore.
///
/// It is pinned when it is read first, for the life of the host: a keystore that is locked, lost or
/// made anew later stops nothing that runs, and whoever can write to it is not trusted for that.
#[derive(Default)]
pub(crate) struct OwnIssuer {
    pinned: Mutex<Option<PublicKey>>,
    /// What the keystore says instead, when it was asked last.
    other: Mutex<Option<PublicKey>>,
    /// The answer of a keystore that took too long, when it comes: one question at a time.
    late: Mutex<Option<Receiver<Answer>>>,
}

type Answer = Result<Option<PublicKey>, Failure>;

/// Most keys that are named when they stay revoked.
const HELD_NAMED_MAX: usize = 20;

/// How long a keystore may take; one on a disk that hangs takes forever.
const KEYSTORE_TIME_MAX: Duration = Duration::from_secs(2);

impl OwnIssuer {
    /// The key as it was read first; a user without it has signed nothing, so nobody is trusted.
    /// Blocks.
    ///
    /// # Errors
    /// Why the keystore cannot be read, when it never could.
    pub(crate) fn read(&self) -> Result<Option<PublicKey>, Failure> {
        self.pin(self.ask(default_account))
    }

    fn pin(&self, found: Answer) -> Answer {
        let mut pinned = self.pinned.lock().clone();
        let mut other = None;
        match (found, &pinned) {
            (Ok(Some(key)), None) => {
                tracing::info!(%key, "trusting your account key `default`; pinned while this runs");
                pinned = Some(key);
            }
            (Ok(Some(key)), Some(before)) if key == *before => {}
            (Ok(Some(key)), Some(before)) => {
                tracing::warn!("{}", differs(&key, before));
                other = Some(key);
            }
            (Ok(None), None) => {}
            (Ok(None), Some(key)) => {
                tracing::warn!(%key, "your account key `default` is gone; it stays trusted here");
            }
            (Err(error), Some(key)) => {
                tracing::warn!(%key, "your keystore cannot be read, its key stays trusted: {error}");
            }
            (Err(error), None) => return Err(error),
        }
        self.pinned.lock().clone_from(&pinned);
        *self.other.lock() = other;
        Ok(pinned)
    }

    /// The manifest names its issuers, so what the keystore says does not matter.
    pub(crate) fn ignore(&self) {
        *self.other.lock() = None;
    }

    /// That the keystore now has another key than the one that is trusted.
    pub(crate) fn lasting(&self) -> Option<Lasting> {
        let other = self.other.lock().clone()?;
        let pinned = self.pinned.lock().clone()?;
        Some(Lasting::new("your keystore", Code::Issuer, differs(&other, &pinned)))
    }

    /// Asks on a thread of its own, and waits a bounded time.
    fn ask(&self, keystore: impl FnOnce() -> Answer + Send + 'static) -> Answer {
        let late = self.late.lock().take();
        if let Some(answer) = late
            && matches!(answer.recv_timeout(KEYSTORE_TIME_MAX), Err(RecvTimeoutError::Timeout))
        {
            *self.late.lock() = Some(answer);
            return Err(silent());
        }
        // What was asked before may be old by now.
        let (sender, answer) = sync_channel(1);
        let asking = std::thread::Builder::new().name("keystore".to_owned()).spawn(move || {
            // An error means that nobody waits any more.
            let _ = sender.send(keystore());
        });
        asking.map_err(|error| unread(format!("no thread to read it: {error}")))?;
        match answer.recv_timeout(KEYSTORE_TIME_MAX) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => {
                *self.late.lock() = Some(answer);
                Err(silent())
            }
            Err(RecvTimeoutError::Disconnected) => Err(unread("reading it failed".to_owned())),
        }
    }
}

fn differs(now: &PublicKey, pinned: &PublicKey) -> String {
    format!(
        "your account key `default` is another one now ({now}), which is not trusted here; {pinned} \
         was read first and stays trusted. To trust the new one, restart the host or write it \
         under `trust: {{issuers: [...]}}`"
    )
}

fn silent() -> Failure {
    unread(format!("it does not answer within {} s", KEYSTORE_TIME_MAX.as_secs()))
}

fn unread(why: String) -> Failure {
    Failure::call("your keystore", CallError::new(Code::Storage, why))
}

fn default_account() -> Result<Option<PublicKey>, Failure> {
    let issuer = Keystore::open_default().and_then(|keystore| keystore.default_issuer());
    issuer.map_err(|error| Failure::call("your keystore", error.into()))
}

/// What a right text says about trust.
pub(crate) struct Read {
    /// Whom it trusts, as far as its keys are keys.
    pub(crate) list: TrustList,
    /// The keys that are none.
    pub(crate) problems: Vec<Problem>,
}

/// Whom a right text trusts; `own` is the issuer when it names none, `caps` is what unsigned
/// modules may use when they are admitted. A mistake among the issuers leaves those of `before`,
/// and any mistake what it revokes.
///
/// # Errors
/// That `own` cannot be trusted.
pub(crate) fn of_right(
    spec: &TrustSpec,
    own: Option<&PublicKey>,
    caps: Option<Vec<String>>,
    before: &TrustList,
) -> Result<Read, Failure> {
    let mut problems = Vec::new();
    let mut list = TrustList::new(0);
    for key in &spec.issuers {
        if let Err(error) = add_key(&mut list, &key.value, TrustList::add_issuer) {
            let problem = Problem::new(key.span, error.message());
            problems.push(problem.code(error.code()).help(error.code().cure()));
        }
    }
    if spec.issuers.is_empty()
        && let Some(own) = own
    {
        list = list.trust(own).map_err(|error| Failure::call("your keystore", error.into()))?;
    }
    if !problems.is_empty() {
        list = before.clone();
    }
    for key in &spec.revoked {
        problems.extend(revoke_key(&mut list, key));
    }
    if !problems.is_empty() {
        keep_revoked(&mut list, before);
    }
    let unsigned = caps.map_or(Unsigned::Refuse, |caps| Unsigned::Allow { caps });
    Ok(Read { list: list.unsigned_modules(unsigned), problems })
}

/// Whom to hold against what runs when the text is wrong: those trusted before, without whomever it
/// revokes as far as that can be read. What was revoked `before` stays revoked: a mistake takes
/// nothing back.
pub(crate) fn of_wrong(readable: &ReadableTrust, before: &TrustList) -> Read {
    let mut list = before.clone();
    let mut problems: Vec<_> = (readable.unread.iter())
        .map(|place| not_in_effect(*place, Code::Key, "this holds no public key"))
        .collect();
    for key in &readable.revoked {
        problems.extend(revoke_key(&mut list, key));
    }
    Read { list, problems }
}

fn keep_revoked(list: &mut TrustList, before: &TrustList) {
    for key in before.revoked() {
        // Only keys that can be revoked are in a list.
        let _ = list.add_revoked(key);
    }
}

/// The keys that stay revoked though a wrong text does not say so any more.
#[derive(Default)]
pub(crate) struct Held(BTreeSet<PublicKey>);

impl Held {
    /// What `list` revokes and the text does not.
    pub(crate) fn of(list: &TrustList, written: &[Spanned<String>]) -> Self {
        let written: BTreeSet<_> = written.iter().flat_map(|text| keys_in(text)).collect();
        let held = list.revoked().filter(|key| !written.contains(key.as_str()));
        Self(held.cloned().collect())
    }

    pub(crate) fn lasting(&self) -> Option<Lasting> {
        let named: Vec<_> = self.0.iter().take(HELD_NAMED_MAX).map(PublicKey::as_str).collect();
        let more = if named.len() < self.0.len() { " and others" } else { "" };
        let why = format!(
            "{}{more} stay revoked though the manifest as it is now does not say so: it was not \
             applied, and an earlier text revoked them. Mend the manifest; once it is right, what \
             it says counts",
            named.join(", ")
        );
        (!named.is_empty()).then(|| Lasting::new("revoked before", Code::Revoked, why))
    }
}

type Add = fn(&mut TrustList, &PublicKey) -> Result<(), ClaimsError>;

/// Revokes what is written, or whatever key is in it; gives what is wrong with it.
fn revoke_key(list: &mut TrustList, written: &Spanned<String>) -> Option<Problem> {
    let error = add_key(list, &written.value, TrustList::add_revoked).err()?;
    let keys = keys_in(&written.value);
    let revoked = keys.filter(|key| add_key(list, key, TrustList::add_revoked).is_ok()).count();
    Some(if revoked == 0 {
        not_in_effect(written.span, error.code(), error.message())
    } else {
        Problem::new(written.span, "this is not one public key; the keys in it are revoked")
            .code(error.code())
            .help("write each key by itself, without anything around it")
    })
}

/// Adds one key to a list.
fn add_key(list: &mut TrustList, written: &str, add: Add) -> Result<(), ClaimsError> {
    add(list, &PublicKey::parse(written)?)
}

/// Whoever revokes believes that it acts: that it does not is said first.
fn not_in_effect(span: Span, code: Code, why: &str) -> Problem {
    Problem::new(span, format!("this revocation is NOT in effect: {why}")).code(code).help(
        "write the actor's own key (M...) or its issuer (A...): `trellis inspect FILE` shows both; or \
         the key of a user of the admin API (U...)",
    )
}

/// A key in a wrong text that nothing revokes, though it may be meant to.
pub(crate) fn not_revoked(span: Span) -> Problem {
    const WHY: &str = "if this key is to be revoked, that is NOT in effect: it stands under no list \
                       named `revoked`";
    Problem::new(span, WHY).code(Code::Key).help("write `trust: {revoked: [KEY, KEY]}`")
}

/// A text of which only the beginning was read.
pub(crate) fn not_read(source: &SourceText, bytes_max: usize) -> Problem {
    let end = Span { start: source.text.len(), len: 0 };
    let why = format!(
        "whatever is revoked behind the first {bytes_max} bytes is NOT in effect: they are not read"
    );
    Problem::new(end, why).help("write `trust` at the beginning of a smaller manifest")
}

#[cfg(test)]
mod tests {
    use super::*;
    use trellis_claims::{KeyKind, KeyPair};

    fn key(kind: KeyKind) -> PublicKey {
        KeyPair::generate(kind).public().clone()
    }

    fn written(keys: &[&str]) -> Vec<Spanned<String>> {
        keys.iter().map(|key| Spanned::new((*key).to_owned(), Span::default())).collect()
    }

    #[test]
    fn a_mistake_keeps_no_revocation_back() {
        let (issuer, other, actor) =
            (key(KeyKind::Account), key(KeyKind::Account), key(KeyKind::Module));
        let before = TrustList::new(0).trust(&issuer).expect("an account");
        let server = key(KeyKind::Server);
        let revoked = written(&["nonsense", actor.as_str(), server.as_str()]);

        let unread = vec![Span::default()];
        let wrong = ReadableTrust { issuers: Vec::new(), revoked: revoked.clone(), unread };
        let Read { list, problems } = of_wrong(&wrong, &before);
        assert_eq!(problems.len(), 3, "each that revokes nothing is told: {problems:#?}");
        for problem in &problems {
            assert!(
                problem.message.starts_with("this revocation is NOT in effect: "),
                "{problem:?}"
            );
            assert!(!problem.message.contains("E_KEY"), "the code is told apart: {problem:?}");
            assert!(problem.help.as_ref().is_some_and(|help| help.contains("trellis inspect")));
        }
        assert_eq!(list.issuers().collect::<Vec<_>>(), [&issuer]);
        assert_eq!(list.revoked().collect::<Vec<_>>(), [&actor], "what is no key revokes nothing");

        let right = |issuers: &[&str]| {
            let issuers = written(issuers);
            let spec = TrustSpec { issuers, revoked: revoked.clone(), unsigned: false };
            of_right(&spec, None, None, &before).expect("no keystore is read")
        };
        let read = right(&[other.as_str()]);
        assert_eq!(read.list.issuers().collect::<Vec<_>>(), [&other]);
        assert_eq!(read.list.revoked().collect::<Vec<_>>(), [&actor]);
        assert_eq!(read.problems.len(), 2);
        let read = right(&[other.as_str(), "nonsense"]);
        assert_eq!(
            read.list.issuers().collect::<Vec<_>>(),
            [&issuer],
            "nobody is dropped by a typo"
        );
        assert_eq!(read.list.revoked().collect::<Vec<_>>(), [&actor]);
        assert_eq!(right(&[]).list.issuers().count(), 0, "no key of the user, no trust");
    }

    #[test]
    fn keys_with_something_around_them_are_revoked_and_that_is_told() {
        let [one, other] = [(); 2].map(|()| key(KeyKind::Module));
        let text = format!(" {one}, {other}");
        let spec = TrustSpec { revoked: written(&[&text]), ..TrustSpec::default() };
        let read = of_right(&spec, None, None, &TrustList::new(0)).expect("no keystore is read");
        let mut revoked: Vec<_> = read.list.revoked().cloned().collect();
        let mut meant = vec![one, other];
        revoked.sort();
        meant.sort();
        assert_eq!(revoked, meant);
        let [problem] = &*read.problems else { panic!("{:#?}", read.problems) };
        assert!(problem.message.ends_with("the keys in it are revoked"), "{problem:?}");
    }

    #[test]
    fn what_was_read_first_stays_trusted() {
        let own = OwnIssuer::default();
        let [first, second] = [(); 2].map(|()| key(KeyKind::Account));
        let pin = |found| own.pin(found).expect("it is no error");
        assert_eq!(pin(Ok(None)), None, "nobody has signed yet");
        for (found, differs) in [
            (Ok(Some(first.clone())), false),
            (Ok(Some(second.clone())), true),
            (Ok(None), false),
            (Ok(Some(second)), true),
            (Err(silent()), false),
            (Ok(Some(first.clone())), false),
        ] {
            assert_eq!(pin(found).as_ref(), Some(&first));
            assert_eq!(own.lasting().is_some(), differs);
        }
    }

    #[test]
    fn a_mistake_takes_no_revocation_back() {
        let (issuer, actor) = (key(KeyKind::Account), key(KeyKind::Module));
        let list = TrustList::new(0).trust(&issuer).expect("an account");
        let wrong = |keys: &[&str]| ReadableTrust { revoked: written(keys), ..Default::default() };
        let list = of_wrong(&wrong(&[actor.as_str()]), &list).list;
        let list = of_wrong(&wrong(&[]), &list).list;
        assert!(list.is_revoked(&actor));
        assert!(Held::of(&list, &[]).lasting().is_some());
        assert!(Held::of(&list, &written(&[actor.as_str()])).lasting().is_none());
        let right = |revoked: &[&str]| {
            let spec = TrustSpec { revoked: written(revoked), ..TrustSpec::default() };
            of_right(&spec, Some(&issuer), None, &list).expect("no keystore is read").list
        };
        assert!(right(&["nonsense"]).is_revoked(&actor), "it is not right as a whole");
        assert!(!right(&[]).is_revoked(&actor), "a right text counts");
    }

    #[test]
    fn a_keystore_that_hangs_is_waited_for_within_a_bound_and_asked_once() {
        let own = OwnIssuer::default();
        let (answer, hanging) = sync_channel::<()>(1);
        let hang = move || {
            // An error means that the test is over.
            let _ = hanging.recv();
            Ok(None)
        };
        let error = own.ask(hang).expect_err("nothing answers");
        assert!(error.first().contains("does not answer"), "{}", error.first());
        own.ask(|| panic!("one question at a time")).expect_err("it still hangs");
        answer.send(()).expect("it waits");
        let issuer = key(KeyKind::Account);
        let now = issuer.clone();
        let found = own.ask(move || Ok(Some(now))).expect("it answers again");
        assert_eq!(found, Some(issuer), "what was asked before is old");
    }
}
