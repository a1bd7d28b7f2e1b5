//! Whole modules: no panic, inspection and verification agree, and what can be signed verifies.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use trellis_claims::section::locate;
use trellis_claims::{ClaimsDraft, FixedClock, KeyKind, KeyPair, TrustList, inspect, sign, verify};

struct Signer {
    account: KeyPair,
    draft: ClaimsDraft,
    trust: TrustList,
}

static SIGNER: LazyLock<Signer> = LazyLock::new(|| {
    let account = KeyPair::generate(KeyKind::Account);
    let draft = ClaimsDraft::new(KeyPair::generate(KeyKind::Module).public().clone());
    let trust = TrustList::new(1).trust(account.public()).expect("an account key");
    Signer { account, draft, trust }
});

fuzz_target!(|module: &[u8]| {
    let Signer { account, draft, trust } = &*SIGNER;
    let clock = FixedClock::at(1);
    let seen = inspect(module);
    assert!(verify(module, trust, &clock).is_err(), "nobody else has this issuer's key");
    match locate(module) {
        Ok(Some(section)) => assert_eq!(seen.section_name, Some(section.name)),
        Ok(None) => assert!(seen.is_unsigned()),
        Err(error) => assert_eq!(seen.problem().map(|p| p.code()), Some(error.code())),
    }
    if let Ok(signed) = sign(module, draft, account, &clock) {
        let verified = verify(&signed, trust, &clock).expect("just signed");
        assert_eq!(verified.claims().subject, draft.subject);
        assert_eq!(sign(&signed, draft, account, &clock).expect("signed before"), signed);
    }
});
