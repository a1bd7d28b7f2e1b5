//! Actors as they are seen from outside.

use trellis_claims::Verified;
use trellis_control::{ActorEntry, BindingRef, Condition, Instances};
use trellis_engine::{Actor, Isolation};
use trellis_limits::ActorLimits;

use crate::actual::RunningActor;
use crate::prepare::PreparedActor;

use super::reasons::Reasons;

/// An actor that runs or is wanted.
pub(super) struct SeenActor {
    verified: Verified,
    isolation: Isolation,
    limits: ActorLimits,
    /// `None` when it does not run.
    engine: Option<Actor>,
}

impl From<&PreparedActor> for SeenActor {
    fn from(wanted: &PreparedActor) -> Self {
        let PreparedActor { verified, isolation, limits, .. } = wanted;
        let (verified, limits) = (verified.clone(), limits.clone());
        Self { verified, isolation: *isolation, limits, engine: None }
    }
}

impl From<&RunningActor> for SeenActor {
    fn from(running: &RunningActor) -> Self {
        Self { engine: Some(running.engine.clone()), ..Self::from(&running.prepared) }
    }
}

impl SeenActor {
    pub(super) const fn runs(&self) -> bool {
        self.engine.is_some()
    }

    pub(super) fn into_entry(
        self,
        name: &str,
        reasons: &Reasons<'_>,
        bindings: Vec<BindingRef>,
    ) -> ActorEntry {
        let Self { verified, isolation, limits, engine } = self;
        let claims = verified.claims();
        let limits = engine.as_ref().map_or(&limits, Actor::limits);
        let limits = limits.values().map(|(limit, value)| (limit.name.to_owned(), value)).collect();
        let about = [format!("actor {name}"), format!("claims of actor {name}")];
        let reasons_of = reasons.about(&about);
        let state = Condition::of(engine.is_some(), &reasons_of);
        let state = state.unless_stopped(reasons.stopped.has_actor(name));
        ActorEntry {
            name: name.to_owned(),
            state,
            waits_for: reasons.others_awaited(state, &about[0]),
            reasons: reasons_of,
            key: claims.subject.to_string(),
            issuer: (!verified.is_unsigned()).then(|| claims.issuer.to_string()),
            revision: claims.revision,
            version: claims.version.clone(),
            digest: verified.digest().iter().map(|byte| format!("{byte:02x}")).collect(),
            call_alias: claims.call_alias.clone(),
            capabilities: claims.caps.clone(),
            expires_unix_s: claims.expires,
            isolation: match isolation {
                Isolation::Reuse => trellis_control::Isolation::Reuse,
                Isolation::Fresh => trellis_control::Isolation::Fresh,
            },
            limits,
            instances: engine.as_ref().map(instances),
            addresses: reasons.addresses(name),
            bindings,
            edit: None,
        }
    }
}

fn instances(actor: &Actor) -> Instances {
    let stats = actor.stats();
    Instances { alive: stats.instances, idle: stats.idle, waiting: stats.waiting }
}
