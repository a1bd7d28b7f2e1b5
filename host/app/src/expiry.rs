//! How long the claims of running actors still hold, in the words of the metrics page.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use trellis_control::Expiry;

/// Most actors that are shown: those whose claims end first.
const SHOWN_MAX: usize = 200;

/// A registry of how long these still hold, to be encoded as any other.
pub(crate) fn registry(expiries: &[Expiry], now_unix_s: u64) -> Registry {
    let mut first: Vec<_> = expiries.iter().collect();
    first.sort_unstable_by_key(|expiry| expiry.unix_s);
    let left: Family<Vec<(&str, String)>, Gauge> = Family::default();
    for Expiry { actor, unix_s } in first.into_iter().take(SHOWN_MAX) {
        let seconds = i128::from(*unix_s) - i128::from(now_unix_s);
        let label = vec![("actor", actor.to_string())];
        left.get_or_create(&label).set(i64::try_from(seconds).unwrap_or(i64::MAX));
    }
    let mut registry = Registry::with_prefix("trellis");
    let help = "Time until the claims of an actor end, of those that end first";
    registry.register_with_unit("actor_claims_left", help, Unit::Seconds, left);
    registry
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode_registry;

    use super::*;

    #[test]
    fn those_that_end_first_are_shown() {
        let count = SHOWN_MAX as u64 + 2;
        let expiry = |number: u64| Expiry { actor: format!("a{number}").into(), unix_s: number };
        // The last ends first.
        let expiries: Vec<_> = (0..count).rev().map(expiry).collect();
        let mut text = String::new();
        encode_registry(&mut text, &registry(&expiries, 1)).expect("a string takes it");
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines.len(), SHOWN_MAX, "{text}");
        for line in ["_seconds{actor=\"a0\"} -1", "_seconds{actor=\"a9\"} 8"] {
            assert!(lines.contains(&&*format!("trellis_actor_claims_left{line}")), "{text}");
        }
    }
}
