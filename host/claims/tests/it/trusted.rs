//! Threats B1, B7 and B9: whose signature counts, until when, and what may replace what.

use trellis_claims::{
    KeyKind, KeyPair, StaleTrust, TrustList, TrustStore, Unsigned, Verified, sign, unsigned_key,
    verify,
};
use trellis_core::{CallError, Code};

use crate::support::{
    account, clock, draft, module_key, other_account, other_module_key, plain, trust, wat,
    with_token,
};

fn signed() -> Vec<u8> {
    sign(&plain(), &draft(), &account(), &clock()).expect("a module")
}

fn refusal(list: &TrustList) -> Option<Code> {
    verify(&signed(), list, &clock()).err().map(|error| error.code())
}

fn dev(caps: &[&str]) -> TrustList {
    let caps = caps.iter().map(|cap| (*cap).to_owned()).collect();
    trust().unsigned_modules(Unsigned::Allow { caps })
}

#[test]
fn only_listed_issuers_count_and_revocation_outweighs_them() {
    let list = |list: TrustList| refusal(&list);
    assert_eq!(list(TrustList::default()), Some(Code::Issuer));
    assert_eq!(list(trust()), None);
    let other = TrustList::new(1).trust(other_account().public()).expect("an account");
    assert_eq!(list(other), Some(Code::Issuer));
    let revoked = |pair: &KeyPair| trust().revoke(pair.public()).expect("revocable");
    assert_eq!(list(revoked(&account())), Some(Code::Revoked));
    assert_eq!(list(revoked(&module_key())), Some(Code::Revoked));
    assert_eq!(list(revoked(&other_account())), None);
    assert_eq!(list(revoked(&other_module_key())), None);
}

#[test]
fn lists_hold_keys_of_the_kinds_they_are_about() {
    for kind in KeyKind::ALL {
        let key = KeyPair::generate(kind).public().clone();
        let code = |result: Result<TrustList, trellis_claims::ClaimsError>| {
            result.err().map(|error| error.code())
        };
        let trusted = code(trust().trust(&key));
        assert_eq!(trusted, (kind != KeyKind::Account).then_some(Code::Key), "{kind}");
        let revocable =
            matches!(kind, KeyKind::Account | KeyKind::Module | KeyKind::Service | KeyKind::User);
        assert_eq!(code(trust().revoke(&key)), (!revocable).then_some(Code::Key), "{kind}");
    }
    let list = trust().revoke(module_key().public()).expect("a module key");
    assert!(list.issuers().eq([account().public()]));
    assert!(list.revoked().eq([module_key().public()]));
}

#[test]
fn a_published_revocation_reaches_what_runs() {
    let store = TrustStore::new(trust());
    let running = verify(&signed(), &store.current(), &clock()).expect("trusted");
    assert!(running.recheck(&store.current(), &clock()).is_ok());
    let next = TrustList::new(2).trust(account().public()).expect("an account");
    let next = next.revoke(module_key().public()).expect("a module key");
    store.publish(next).expect("newer");
    let error = running.recheck(&store.current(), &clock()).expect_err("revoked");
    assert_eq!(error.code(), Code::Revoked);
    assert_eq!(CallError::from(error).code(), Code::Revoked);
}

#[test]
fn an_older_list_never_replaces_a_newer_one() {
    let store = TrustStore::new(TrustList::new(5));
    for offered in [0, 4, 5] {
        let stale = store.publish(TrustList::new(offered));
        assert_eq!(stale, Err(StaleTrust { offered, current: 5 }));
    }
    assert_eq!(store.publish(TrustList::new(7)), Ok(()));
    assert_eq!(store.current().version(), 7);
    let stale = StaleTrust { offered: 5, current: 7 };
    assert_eq!(stale.to_string(), "trust list 5 is not newer than 7, which is in force");
}

#[test]
fn unsigned_modules_run_only_where_allowed() {
    let refused = verify(&plain(), &trust(), &clock()).expect_err("unsigned");
    assert_eq!(refused.code(), Code::Unsigned);
    let list = dev(&["wascc:logging"]);
    let admitted = |module: &[u8]| verify(module, &list, &clock()).expect("allowed");
    let first: Verified = admitted(&plain());
    assert!(first.is_unsigned());
    assert_eq!(first.claims().caps, ["wascc:logging"]);
    assert_eq!(first.claims().subject.kind(), KeyKind::Module);
    assert_eq!(first.claims(), admitted(&plain()).claims(), "the same bytes, the same key");
    let second = admitted(&wat("(module)"));
    assert_ne!(first.claims().subject, second.claims().subject);
    assert_ne!(first.claims().issuer, second.claims().issuer);
    assert!(first.recheck(&list, &clock()).is_ok());
    let error = first.recheck(&trust(), &clock()).expect_err("no longer allowed");
    assert_eq!(error.code(), Code::Unsigned);
}

#[test]
fn a_revocation_holds_for_unsigned_modules_too() {
    let list = dev(&["wascc:logging"]);
    let running = verify(&plain(), &list, &clock()).expect("allowed");
    let key = unsigned_key(running.digest());
    assert_eq!(key, running.claims().subject);
    let issuer = running.claims().issuer.clone();
    for revoked in [&key, &issuer] {
        let list = list.clone().revoke(revoked).expect("a revocable kind");
        let refused = verify(&plain(), &list, &clock()).expect_err("revoked before it ran");
        assert_eq!(refused.code(), Code::Revoked);
        let stopped = running.recheck(&list, &clock()).expect_err("revoked while it ran");
        assert_eq!(stopped.code(), Code::Revoked);
        assert!(verify(&wat("(module)"), &list, &clock()).is_ok(), "others are not meant");
    }
}

#[test]
fn wrong_claims_are_refused_even_where_unsigned_modules_run() {
    let code = |module: &[u8]| verify(module, &dev(&[]), &clock()).err().map(|e| e.code());
    assert_eq!(code(&with_token(&plain(), "jwt", "a.b.c")), Some(Code::Token));
    assert_eq!(code(b"no module"), Some(Code::ModuleInvalid));
    let mut changed = signed();
    changed[40] ^= 1;
    assert!(code(&changed).is_some());
    let stranger = sign(&plain(), &draft(), &other_account(), &clock()).expect("a module");
    assert_eq!(code(&stranger), Some(Code::Issuer));
}

#[test]
fn an_older_revision_does_not_replace_a_newer_one() {
    let claims = |revision, subject: &KeyPair| {
        let mut draft = draft();
        draft.revision = revision;
        draft.subject = subject.public().clone();
        let signed = sign(&plain(), &draft, &account(), &clock()).expect("a module");
        verify(&signed, &trust(), &clock()).expect("trusted").claims().clone()
    };
    let module = module_key();
    for (next, running, allowed) in [
        (Some(2), Some(1), true),
        (Some(1), Some(1), true),
        (Some(0), Some(1), false),
        (None, Some(-1), false),
        (Some(-1), None, true),
        (None, None, true),
    ] {
        let result = claims(next, &module).check_succeeds(&claims(running, &module));
        let code = result.as_ref().err().map(|error| error.code());
        assert_eq!(code, (!allowed).then_some(Code::Revision), "{next:?} after {running:?}");
        let cure = format!("`--rev {}` or a higher one", running.unwrap_or_default());
        assert!(result.err().is_none_or(|error| error.to_string().contains(&cure)));
    }
    let stranger = claims(Some(9), &other_module_key()).check_succeeds(&claims(None, &module));
    assert_eq!(stranger.expect_err("another actor").code(), Code::Revision);
}

#[test]
fn a_narrowed_list_allows_nothing_that_the_one_before_did_not() {
    let [one, other, actor, user] =
        [KeyKind::Account, KeyKind::Account, KeyKind::Module, KeyKind::User]
            .map(|kind| KeyPair::generate(kind).public().clone());
    let trusting = |issuer| TrustList::new(0).trust(issuer).expect("an account");
    let unsigned = || Unsigned::Allow { caps: vec!["wascc:logging".to_owned()] };
    let before = trusting(&one).revoke(&other).expect("an account");
    let before = before.revoke(&user).expect("a user");
    let list = trusting(&one).trust(&other).expect("an account").revoke(&actor).expect("a module");
    let narrowed = list.clone().unsigned_modules(unsigned()).narrowed_by(&before);
    assert_eq!(narrowed.issuers().collect::<Vec<_>>(), [&one]);
    assert_eq!(narrowed.revoked().collect::<Vec<_>>(), [&other, &actor, &user]);
    assert!(narrowed.is_revoked(&user) && !list.is_revoked(&user));
    assert_eq!(narrowed.unsigned(), &Unsigned::Refuse);
    let before = before.unsigned_modules(unsigned());
    assert_eq!(list.clone().narrowed_by(&before).unsigned(), &Unsigned::Refuse);
    assert_eq!(list.unsigned_modules(unsigned()).narrowed_by(&before).unsigned(), &unsigned());
}
