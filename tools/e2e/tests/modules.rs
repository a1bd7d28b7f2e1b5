//! Real modules, damaged: every actor of this repository, truncated and with changed bytes. The
//! crates' own tests use modules written by hand; these come from a compiler.

use trellis_claims::{ActorClaims, SystemClock, TrustList, verify};
use trellis_engine::inspect;
use trellis_testkit::Account;
use trellis_testkit::guests::built;

const ACTORS: [&str; 5] = ["echo", "kvcounter", "logger", "ping", "pong"];

/// Every prefix up to this length is tried: all section headers and types, and the first functions.
const EVERY_PREFIX_BYTES: usize = 2_000;
/// The step after that, and between changed bytes. It is a prime, so every alignment occurs.
const STEP: usize = 101;

#[test]
fn a_truncated_module_is_refused_or_lacks_its_last_sections() {
    for actor in ACTORS {
        let module = built(actor);
        let whole = inspect(&module).expect("it is well-formed");
        let ends = (0..module.len().min(EVERY_PREFIX_BYTES)).chain((0..module.len()).step_by(STEP));
        for end in ends {
            // Cut between two sections, it is still a module, but a smaller one.
            if let Ok(shape) = inspect(&module[..end]) {
                assert_ne!(
                    shape, whole,
                    "the first {end} bytes of {actor} say as much as all of it"
                );
            }
        }
    }
}

#[test]
fn no_changed_byte_of_a_signed_module_is_accepted() {
    let account = Account::default();
    let trust = TrustList::new(0).trust(account.issuer().public()).expect("an account key");
    let accepted = |module: &[u8]| verify(module, &trust, &SystemClock).is_ok();
    for actor in ACTORS {
        let signed = account.sign(&built(actor), &account.draft(actor));
        assert!(accepted(&signed));
        // A few bytes of the code, and every byte of the claims at the end.
        let claims = signed.len().saturating_sub(EVERY_PREFIX_BYTES / 2);
        for at in (0..claims).step_by(STEP).chain(claims..signed.len()) {
            let mut changed = signed.clone();
            changed[at] ^= 1 << (at % 8);
            assert!(!accepted(&changed), "byte {at} of {actor} can be changed");
        }
        let token =
            trellis_claims::inspect(&signed).claims.map(|claims: ActorClaims| claims.issuer);
        assert_eq!(token.as_ref(), Some(account.issuer().public()));
    }
}
