//! Threat B6: claims hold in their window, give or take 30 s, by the caller's clock.

use serde_json::json;
use trellis_claims::clock::SKEW_S;
use trellis_claims::{Clock, FixedClock, SystemClock, sign, verify};
use trellis_core::Code;

use crate::support::{
    HEADER, NOW, account, claims_for, clock, draft, plain, refusal, token, trust, with_token,
};

const HOUR: u64 = 3600;

fn at(not_before: Option<u64>, expires: Option<u64>, now: u64) -> Option<Code> {
    let mut draft = draft();
    (draft.not_before, draft.expires) = (not_before, expires);
    let signed = sign(&plain(), &draft, &account(), &clock()).expect("a module");
    verify(&signed, &trust(), &FixedClock::at(now)).err().map(|error| error.code())
}

#[test]
fn the_window_and_its_skew() {
    for (not_before, expires, now, expected) in [
        (None, None, 0, None),
        (None, None, u64::MAX, None),
        (None, Some(NOW), NOW - HOUR, None),
        (None, Some(NOW), NOW, None),
        (None, Some(NOW), NOW + SKEW_S - 1, None),
        (None, Some(NOW), NOW + SKEW_S, Some(Code::Expired)),
        (None, Some(NOW), NOW + HOUR, Some(Code::Expired)),
        (None, Some(NOW), u64::MAX, Some(Code::Expired)),
        (None, Some(0), NOW, Some(Code::Expired)),
        (None, Some(u64::MAX), u64::MAX - 1, None),
        (Some(NOW), None, NOW + HOUR, None),
        (Some(NOW), None, NOW, None),
        (Some(NOW), None, NOW - SKEW_S, None),
        (Some(NOW), None, NOW - SKEW_S - 1, Some(Code::NotYet)),
        (Some(NOW), None, NOW - HOUR, Some(Code::NotYet)),
        (Some(NOW), None, 0, Some(Code::NotYet)),
        (Some(u64::MAX), None, NOW, Some(Code::NotYet)),
        (Some(NOW), Some(NOW + 1), NOW, None),
    ] {
        assert_eq!(at(not_before, expires, now), expected, "{not_before:?}..{expires:?} at {now}");
    }
}

#[test]
fn the_end_is_near_in_the_last_tenth_of_a_life_and_the_last_week_at_most() {
    const DAY: u64 = 24 * HOUR;
    let from = |not_before, expires| {
        let mut draft = draft();
        (draft.not_before, draft.expires) = (not_before, expires);
        let signed = sign(&plain(), &draft, &account(), &clock()).expect("a module");
        let clock = FixedClock::at(not_before.unwrap_or(NOW).max(NOW));
        verify(&signed, &trust(), &clock).expect("it holds").claims().ends_soon_from()
    };
    assert_eq!(from(None, None), None, "it never ends");
    assert_eq!(from(None, Some(NOW + 30 * DAY)), Some(NOW + 27 * DAY));
    assert_eq!(from(None, Some(NOW + 365 * DAY)), Some(NOW + 358 * DAY));
    assert_eq!(from(Some(NOW + 9 * DAY), Some(NOW + 10 * DAY)), Some(NOW + 10 * DAY - DAY / 10));
    assert_eq!(from(None, Some(u64::MAX)), Some(u64::MAX - 7 * DAY));
}

#[test]
fn a_time_that_is_not_now_is_told_as_a_date() {
    let told = |not_before, expires, now| {
        let mut draft = draft();
        (draft.not_before, draft.expires) = (not_before, expires);
        let signed = sign(&plain(), &draft, &account(), &clock()).expect("a module");
        let error = verify(&signed, &trust(), &FixedClock::at(now)).expect_err("out of its time");
        error.message().to_owned()
    };
    // 2026-12-01.
    let start = 1_796_083_200;
    for (now, when) in [
        (start - 119, "in 119 s"),
        (start - 3 * HOUR, "in 3 hours"),
        (start - 40 * HOUR, "in 40 hours"),
        (start - 50 * HOUR, "in 2 days"),
    ] {
        let sentence = format!("the claims begin at 2026-12-01 00:00:00 UTC, {when}");
        assert_eq!(told(Some(start), None, now), sentence);
    }
    let sentence = "the claims expired at 2026-12-01 00:00:00 UTC, 2 minutes ago";
    assert_eq!(told(None, Some(start), start + 120), sentence);
}

#[test]
fn times_beyond_64_bits_are_no_times() {
    for key in ["exp", "nbf", "iat"] {
        for number in ["18446744073709551616", "1e400", "1e20", "-1"] {
            let claims = claims_for(&plain()).to_string();
            let claims = claims.replacen('{', &format!(r#"{{"{key}":{number},"#), 1);
            let claims =
                claims.replacen(&format!(r#""iat":{NOW},"#), "", usize::from(key == "iat"));
            let module = with_token(&plain(), "jwt", &token(HEADER, &claims, &account()));
            assert_eq!(refusal(&module), Some(Code::Token), "{key} = {number}");
        }
    }
}

#[test]
fn a_running_actor_knows_when_to_stop() {
    let mut draft = draft();
    draft.expires = Some(NOW + HOUR);
    let signed = sign(&plain(), &draft, &account(), &clock()).expect("a module");
    let clock = clock();
    let verified = verify(&signed, &trust(), &clock).expect("an hour left");
    let end = verified.expires_at().expect("it has an end");
    clock.set(end - 1);
    assert!(verified.check_time(&clock).is_ok());
    clock.set(end);
    let error = verified.recheck(&trust(), &clock).expect_err("over");
    assert_eq!(error.code(), Code::Expired);
}

#[test]
fn the_signing_time_is_the_clocks() {
    let signed = sign(&plain(), &draft(), &account(), &FixedClock::at(7)).expect("a module");
    let mut claims = claims_for(&plain());
    claims["iat"] = json!(7);
    let verified = verify(&signed, &trust(), &clock()).expect("signed long ago");
    assert_eq!(verified.claims().issued_at, 7);
    assert!(SystemClock.now_unix_s() > NOW);
}
