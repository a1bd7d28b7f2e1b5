//! The one check every call passes.

use std::borrow::Cow;

use trellis_core::{
    BindingId, BindingName, CallError, ContractId, Direction, Entity, Parties, Trace,
};

use crate::audit::AuditSink;
use crate::binding::{Binding, End};
use crate::denial::{Absence, Denial, Reason, Refusal};
use crate::metrics::Metrics;
use crate::permit::{Admitted, Granted, Permit};
use crate::policy::{Decision, Policy, PolicyInput};
use crate::principal::Principal;
use crate::refusal::{DenialContext, foreign, gone, unbound};
use crate::set::EntitlementSet;
use crate::spec::{ActorId, TargetId};

/// Who asks for what, in the words the asker used. The asker itself is known by its handle, which
/// the host gave it: no payload can change it.
#[derive(Clone, Copy, Debug)]
pub enum AuthzRequest<'a> {
    /// A guest called out.
    FromActor {
        /// The guest.
        actor: ActorId,
        /// The binding it named; empty means `default`.
        binding: &'a str,
        /// A contract id, or the key, name or alias of an actor.
        namespace: &'a str,
        /// The operation.
        operation: &'a str,
    },
    /// A provider calls the actor behind a binding of its own.
    FromProvider {
        /// The provider.
        provider: TargetId,
        /// The binding.
        binding: BindingId,
        /// The operation.
        operation: &'a str,
    },
    /// The host itself calls an actor: health, tests, the command line.
    FromSystem {
        /// Key, name or alias of the actor.
        actor: &'a str,
        /// The operation.
        operation: &'a Cow<'static, str>,
    },
}

/// Claims, binding and policy, checked on every call. The claims and bindings are the set's, which
/// every check is given: the caller holds it, together with the routes of the same moment.
pub struct Gate {
    policy: Box<dyn Policy>,
    audit: Box<dyn AuditSink>,
    metrics: Metrics,
}

impl Gate {
    /// A gate with this policy; what it refuses goes to this trail and these metrics.
    #[must_use]
    pub fn new(policy: Box<dyn Policy>, audit: Box<dyn AuditSink>, metrics: Metrics) -> Self {
        Self { policy, audit, metrics }
    }

    /// Checks one call, which belongs to a trace.
    ///
    /// # Errors
    /// [`trellis_core::Code::Denied`] naming what is missing; [`trellis_core::Code::NotFound`] when
    /// the actor that is asked for does not run, [`trellis_core::Code::Stopping`] when the one that
    /// asks does not any more, [`trellis_core::Code::Provider`] when nothing serves the binding
    /// just now. Denials are audited; both kinds are counted.
    #[inline]
    pub fn admit<'t>(
        &self,
        set: &'t EntitlementSet,
        request: &AuthzRequest<'t>,
        trace: &Trace,
    ) -> Result<Permit<'t>, CallError> {
        self.check(set, request).map_err(|refusal| self.refused(set, *refusal, *trace))
    }

    #[cold]
    fn refused(&self, set: &EntitlementSet, refusal: Refusal, trace: Trace) -> CallError {
        match &refusal {
            Refusal::Denied(denial) => self.denied(set, denial, trace),
            Refusal::Absent(absence) => self.absent(absence, trace),
        }
        CallError::from(refusal)
    }

    fn denied(&self, set: &EntitlementSet, denial: &Denial, trace: Trace) {
        // What a policy refuses was resolved before, and what lacks a binding is claimed: both are
        // words of the host's own.
        let known = matches!(denial.reason, Reason::Policy | Reason::NotBound)
            || set.has_contract(&denial.namespace);
        self.metrics.denied(denial, known && !denial.namespace.is_empty());
        self.audit.denied(denial, trace);
    }

    fn absent(&self, absence: &Absence, trace: Trace) {
        self.metrics.absent(absence.end);
        self.audit.absent(absence, trace);
    }

    #[inline]
    fn check<'t>(
        &self,
        set: &'t EntitlementSet,
        request: &AuthzRequest<'t>,
    ) -> Result<Permit<'t>, Box<Refusal>> {
        let (granted, contract) = match *request {
            AuthzRequest::FromActor { actor, binding, namespace, operation } => {
                let caller = set.principal(actor).ok_or_else(|| gone(namespace, operation))?;
                let name = BindingName::normalize(binding);
                match caller.binding(namespace, name) {
                    Some(binding) => {
                        (outward(caller, binding, operation)?, Some(binding.contract()))
                    }
                    None => (to_actor(set, caller, (name, namespace), operation)?, None),
                }
            }
            AuthzRequest::FromProvider { provider, binding, operation } => {
                let Some(binding) = set.binding(binding) else {
                    // One that never was is nobody's.
                    let was = set.was_bound(binding);
                    return Err(if was { unbound(operation) } else { foreign(operation) });
                };
                if binding.provider.target != provider {
                    return Err(foreign(operation));
                }
                (inward(binding, operation)?, Some(binding.contract()))
            }
            AuthzRequest::FromSystem { actor, operation } => {
                (from_system(set, actor, Admitted::Known(operation))?, None)
            }
        };
        self.consult(granted, contract)
    }

    #[inline]
    fn consult<'t>(
        &self,
        granted: Granted<'t>,
        contract: Option<&ContractId>,
    ) -> Result<Permit<'t>, Box<Refusal>> {
        let operation = granted.operation.as_str();
        let input = PolicyInput { parties: granted.parties, contract, operation };
        match self.policy.decide(&input) {
            Decision::Allow => Ok(Permit::new(granted)),
            Decision::Deny(why) => {
                let Parties { origin, target } = granted.parties;
                Err(Box::new(Refusal::Denied(Denial {
                    reason: Reason::Policy,
                    origin: Some(origin.clone()),
                    namespace: contract.map_or_else(|| target.to_string(), ToString::to_string),
                    binding: String::new(),
                    operation: operation.to_owned(),
                    message: format!(
                        "policy refuses {origin} the operation {operation} on {target}: {why}"
                    ),
                })))
            }
        }
    }
}

#[inline]
fn outward<'t>(
    caller: &Principal,
    binding: &'t Binding,
    operation: &str,
) -> Result<Granted<'t>, Box<Refusal>> {
    let verb = binding.verb(operation, Direction::ToProvider);
    let ends = (&binding.actor, &binding.provider);
    verb.map(|name| over(binding, ends, Admitted::Known(name))).map_err(|reason| {
        let contract = binding.contract().as_str();
        let Entity::Provider { binding, .. } = &binding.provider.entity else {
            return gone(contract, operation);
        };
        DenialContext::by(caller, (binding.as_str(), contract), operation)
            .refused_over_binding(reason)
    })
}

#[inline]
fn inward<'t>(binding: &'t Binding, operation: &str) -> Result<Granted<'t>, Box<Refusal>> {
    let verb = binding.verb(operation, Direction::ToActor);
    let ends = (&binding.provider, &binding.actor);
    verb.map(|name| over(binding, ends, Admitted::Known(name))).map_err(|reason| {
        let context = DenialContext {
            origin: binding.provider.entity.clone(),
            actor: &binding.actor.entity.to_string(),
            binding: BindingName::DEFAULT,
            namespace: binding.contract().as_str(),
            operation,
        };
        context.refused_over_binding(reason)
    })
}

#[inline]
fn over<'t>(
    binding: &Binding,
    (from, to): (&'t End, &'t End),
    operation: Admitted<'t>,
) -> Granted<'t> {
    Granted {
        target: to.target,
        binding: Some(binding.id),
        parties: Parties { origin: &from.entity, target: &to.entity },
        operation,
    }
}

/// No binding by that name: an actor's name, a contract without a binding, or nothing at all.
fn to_actor<'t>(
    set: &'t EntitlementSet,
    caller: &'t Principal,
    (binding, namespace): (&str, &str),
    operation: &'t str,
) -> Result<Granted<'t>, Box<Refusal>> {
    let context = || DenialContext::by(caller, (binding, namespace), operation);
    let is_a_contract = set.is_a_contract(namespace);
    let callee = if is_a_contract { None } else { set.named(namespace) };
    let Some(callee) = callee else {
        let own = (&*caller.spec.name, &*caller.spec.claims);
        if let Some(why) = set.unserved().why(own, (namespace, binding)) {
            return Err(context().unserved(why));
        }
        let claimed = caller.spec.claims.caps.iter().any(|cap| cap == namespace)
            || caller.has_contract(namespace);
        // The claims may let it call an actor of this name, which does not run here (any more).
        let departed = || set.departed(namespace).is_some_and(|it| caller.may_call_one_with(it));
        let callable = caller.lists(namespace) || set.rules().open_calls || departed();
        return Err(match (claimed, callable && !is_a_contract) {
            (_, true) => context().of_nobody(set),
            (true, false) => context().without_binding(caller),
            (false, false) if is_a_contract => context().refused_over_binding(Reason::NotClaimed),
            (false, false) => context().of_nothing(set),
        });
    };
    if !set.rules().open_calls && !caller.may_call(callee) {
        return Err(context().of_another(caller, callee));
    }
    Ok(direct(&caller.entity, callee, Admitted::Named(operation)))
}

#[inline]
fn from_system<'t>(
    set: &'t EntitlementSet,
    actor: &str,
    operation: Admitted<'t>,
) -> Result<Granted<'t>, Box<Refusal>> {
    let Some(callee) = set.named(actor) else {
        let (origin, binding, operation) = (Entity::System, "", operation.as_str());
        let context = DenialContext { origin, actor, binding, namespace: actor, operation };
        return Err(context.of_nobody(set));
    };
    Ok(direct(&Entity::System, callee, operation))
}

#[inline]
fn direct<'t>(origin: &'t Entity, callee: &'t Principal, operation: Admitted<'t>) -> Granted<'t> {
    Granted {
        target: callee.spec.target,
        binding: None,
        parties: Parties { origin, target: &callee.entity },
        operation,
    }
}
