//! Which traces are recorded.

use trellis_core::Trace;

/// Decides at the root of a trace, as `OTEL_TRACES_SAMPLER` has it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sampler {
    /// Whether whoever began a trace elsewhere decides it.
    parent_based: bool,
    /// The share of the traces that are decided here: from 0 to 1.
    share: f64,
}

impl Default for Sampler {
    /// All, unless whoever began a trace says otherwise: the convention's default.
    fn default() -> Self {
        Self::of_share(1.0)
    }
}

impl Sampler {
    /// This share of the traces that begin here, from 0 to 1.
    #[must_use]
    pub const fn of_share(share: f64) -> Self {
        Self { parent_based: true, share }
    }

    /// What a sampler of this name and this argument does; `None` for one that nobody knows.
    pub(crate) fn named(name: &str, argument: Option<f64>) -> Option<Self> {
        let (parent_based, rule) = match name.strip_prefix("parentbased_") {
            Some(rule) => (true, rule),
            None => (false, name),
        };
        let share = match rule {
            "always_on" => 1.0,
            "always_off" => 0.0,
            "traceidratio" => argument.unwrap_or(1.0),
            _ => return None,
        };
        Some(Self { parent_based, share })
    }

    /// The trace of a request that came with this one, or with none.
    pub(crate) fn enter(self, given: Trace) -> Trace {
        if given.is_none() {
            let root = Trace::new([fastrand::u64(1..), fastrand::u64(..)], 0);
            return if self.takes(root) {
                root.with_sampled(true)
            } else {
                // Nobody records the span that this names, but a trace goes on with one.
                root.within(fastrand::u64(1..))
            };
        }
        if self.parent_based { given } else { given.with_sampled(self.takes(given)) }
    }

    /// By the trace's id alone, so that every host decides alike.
    fn takes(self, trace: Trace) -> bool {
        // As much of the id as a floating-point number holds.
        let drawn = (trace.trace_id() as u64 >> 11) as f64 / (1_u64 << 53) as f64;
        drawn < self.share
    }

    /// How it is told at the start.
    pub(crate) fn told(self) -> String {
        let percent = self.share * 100.0;
        let whom = if self.parent_based { " that begin here" } else { "" };
        match self.share {
            share if share <= 0.0 => format!("none of the traces{whom}"),
            share if share >= 1.0 => format!("all traces{whom}"),
            _ => format!("{percent} % of the traces{whom}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(sampled: bool) -> Trace {
        Trace::new([7, u64::MAX / 2], 9).with_sampled(sampled)
    }

    #[test]
    fn whoever_began_a_trace_decides_it_unless_the_sampler_does() {
        for (name, argument, when_off, when_on, alone) in [
            ("always_on", None, true, true, true),
            ("always_off", None, false, false, false),
            ("parentbased_always_on", None, false, true, true),
            ("parentbased_always_off", None, false, true, false),
            ("traceidratio", Some(0.4), false, false, false),
            ("traceidratio", Some(0.6), true, true, true),
            ("parentbased_traceidratio", Some(0.0), false, true, false),
            ("traceidratio", None, true, true, true),
        ] {
            let sampler = Sampler::named(name, argument).expect("it is a sampler");
            assert_eq!(sampler.enter(given(false)).is_sampled(), when_off, "{name}");
            assert_eq!(sampler.enter(given(true)).is_sampled(), when_on, "{name}");
            assert_eq!(sampler.enter(given(true)).trace_id(), given(true).trace_id(), "{name}");
            if argument.is_none_or(|share| share <= 0.0) {
                let root = sampler.enter(Trace::default());
                assert_eq!(root.is_sampled(), alone, "{name}");
                assert_eq!(root.span_id() == 0, alone, "a recorded root has no parent: {name}");
                assert!(!root.is_none(), "{name}");
            }
        }
        assert_eq!(Sampler::named("jaeger_remote", None), None);
    }

    #[test]
    fn a_share_of_many_traces_is_about_that() {
        fastrand::seed(7);
        let sampler = Sampler::of_share(0.25);
        let taken = (0..4_000).filter(|_| sampler.enter(Trace::default()).is_sampled()).count();
        assert!((850..1_150).contains(&taken), "{taken}");
    }
}
