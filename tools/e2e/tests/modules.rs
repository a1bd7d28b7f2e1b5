//! Real modules, damaged: every actor of this repository, cut short and with bytes changed. What
//! hand-written modules show in the crates' own tests, compilers' output shows here.

use trellis_claims::{ActorClaims, SystemClock, TrustList, verify};
use trellis_engine::inspect;
use trellis_testkit::Account;
use trellis_testkit::guests::built;

const ACTORS: [&str; 5] = ["echo", "kvcounter", "logger", "ping", "pong"];

/// Up to here every prefix is tried: all section headers and types, and the first functions.
const EVERY_PREFIX_BYTES: usize = 2_000;
/// Steps after that, and between changed bytes; a prime, so that they meet every alignment.
const STEP: usize = 101;

#[test]
fn a_module_cut_short_is_refused_or_lacks_its_last_sections() {
    for actor in ACTORS {
        let module = built(actor);
        let whole = inspect(&module).expect("it is well-formed");
        let ends = (0..module.len().min(EVERY_PREFIX_BYTES)).chain((0..module.len()).step_by(STEP));
        for end in ends {
            // A cut between two sections leaves a module: a smaller one.
            if let Ok(shape) = inspect(&module[..end]) {
                assert_ne!(shape, whole, "{end} bytes of {actor} say as much as all of it");
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
        // Sparsely over the code, densely over the claims at the end.
        let claims = signed.len().saturating_sub(EVERY_PREFIX_BYTES / 2);
        for at in (0..claims).step_by(STEP).chain(claims..signed.len()) {
            let mut changed = signed.clone();
            changed[at] ^= 1 << (at % 8);
            assert!(!accepted(&changed), "byte {at} of {actor} may be changed");
        }
        let token =
            trellis_claims::inspect(&signed).claims.map(|claims: ActorClaims| claims.issuer);
        assert_eq!(token.as_ref(), Some(account.issuer().public()));
    }
}
