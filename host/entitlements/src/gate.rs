//! The one check every call passes.

use std::borrow::Cow;
use std::sync::Arc;

use trellis_core::{BindingId, BindingName, CallError, ContractId, Direction, Entity, Parties};

use crate::audit::AuditSink;
use crate::binding::{Binding, End};
use crate::denial::{Denial, Reason};
use crate::metrics::Metrics;
use crate::permit::{Admitted, Granted, Permit};
use crate::policy::{Decision, Policy, PolicyInput};
use crate::principal::Principal;
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

    /// Checks one call.
    ///
    /// # Errors
    /// [`trellis_core::Code::Denied`] naming what is missing, [`trellis_core::Code::NotFound`] when
    /// the host asks for an actor that is not here. Every refusal is audited and counted.
    #[inline]
    pub fn admit<'t>(
        &self,
        set: &'t EntitlementSet,
        request: &AuthzRequest<'t>,
    ) -> Result<Permit<'t>, CallError> {
        self.check(set, request).map_err(|denial| self.refused(set, *denial))
    }

    #[cold]
    fn refused(&self, set: &EntitlementSet, denial: Denial) -> CallError {
        // What a policy refuses was resolved before, and what lacks a binding is claimed: both are
        // words of the host's own.
        let known = matches!(denial.reason, Reason::Policy | Reason::NotBound)
            || set.has_contract(&denial.namespace);
        self.metrics.count(&denial, known && !denial.namespace.is_empty());
        self.audit.denied(&denial);
        CallError::from(denial)
    }

    #[inline]
    fn check<'t>(
        &self,
        set: &'t EntitlementSet,
        request: &AuthzRequest<'t>,
    ) -> Result<Permit<'t>, Box<Denial>> {
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
                let own = |binding: &&Arc<Binding>| binding.provider.target == provider;
                let binding = set.binding(binding).filter(own).ok_or_else(|| unbound(operation))?;
                (inward(binding, operation)?, Some(binding.contract()))
            }
            AuthzRequest::FromSystem { actor, operation } => {
                (from_system(set, actor, operation)?, None)
            }
        };
        self.consult(granted, contract)
    }

    #[inline]
    fn consult<'t>(
        &self,
        granted: Granted<'t>,
        contract: Option<&ContractId>,
    ) -> Result<Permit<'t>, Box<Denial>> {
        let operation = granted.operation.as_str();
        let input = PolicyInput { parties: granted.parties, contract, operation };
        match self.policy.decide(&input) {
            Decision::Allow => Ok(Permit::new(granted)),
            Decision::Deny(why) => {
                let Parties { origin, target } = granted.parties;
                Err(Box::new(Denial {
                    reason: Reason::Policy,
                    origin: Some(origin.clone()),
                    namespace: contract.map_or_else(|| target.to_string(), ToString::to_string),
                    binding: String::new(),
                    operation: operation.to_owned(),
                    message: format!(
                        "policy refuses {origin} the operation {operation} on {target}: {why}"
                    ),
                }))
            }
        }
    }
}

#[inline]
fn outward<'t>(
    caller: &Principal,
    binding: &'t Binding,
    operation: &str,
) -> Result<Granted<'t>, Box<Denial>> {
    let verb = binding.verb(operation, Direction::ToProvider);
    let ends = (&binding.actor, &binding.provider);
    verb.map(|name| over(binding, ends, name)).map_err(|reason| {
        let contract = binding.contract().as_str();
        let Entity::Provider { binding, .. } = &binding.provider.entity else {
            return gone(contract, operation);
        };
        refuse(reason, &DenialContext::of(caller, (binding.as_str(), contract), operation))
    })
}

#[inline]
fn inward<'t>(binding: &'t Binding, operation: &str) -> Result<Granted<'t>, Box<Denial>> {
    let verb = binding.verb(operation, Direction::ToActor);
    let ends = (&binding.provider, &binding.actor);
    verb.map(|name| over(binding, ends, name)).map_err(|reason| {
        let context = DenialContext {
            origin: binding.provider.entity.clone(),
            actor: &binding.actor.entity.to_string(),
            binding: BindingName::DEFAULT,
            namespace: binding.contract().as_str(),
            operation,
        };
        refuse(reason, &context)
    })
}

#[inline]
fn over<'t>(
    binding: &Binding,
    (from, to): (&'t End, &'t End),
    operation: &'t Cow<'static, str>,
) -> Granted<'t> {
    Granted {
        target: to.target,
        binding: Some(binding.id),
        parties: Parties { origin: &from.entity, target: &to.entity },
        operation: Admitted::Known(operation),
    }
}

/// No binding by that name: an actor's name, a contract without a binding, or nothing at all.
fn to_actor<'t>(
    set: &'t EntitlementSet,
    caller: &'t Principal,
    (binding, namespace): (&str, &str),
    operation: &'t str,
) -> Result<Granted<'t>, Box<Denial>> {
    let context = DenialContext::of(caller, (binding, namespace), operation);
    let is_a_contract = set.is_a_contract(namespace);
    let callee = if is_a_contract { None } else { set.named(namespace) };
    let Some(callee) = callee else {
        let claimed = caller.spec.claims.caps.iter().any(|cap| cap == namespace)
            || caller.has_contract(namespace);
        // Whom the claims let it call by this name is not here, or not any more.
        let callable = caller.lists(namespace) || set.rules().open_calls;
        let reason = match (claimed, callable && !is_a_contract) {
            (_, true) => Reason::UnknownActor,
            (true, false) => Reason::NotBound,
            (false, false) => Reason::NotClaimed,
        };
        return Err(refuse(reason, &context));
    };
    if !set.rules().open_calls && !caller.may_call(callee) {
        return Err(refuse(Reason::NotCallable, &context));
    }
    Ok(direct(&caller.entity, callee, Admitted::Named(operation)))
}

#[inline]
fn from_system<'t>(
    set: &'t EntitlementSet,
    actor: &str,
    operation: &'t Cow<'static, str>,
) -> Result<Granted<'t>, Box<Denial>> {
    let Some(callee) = set.named(actor) else {
        return Err(Box::new(Denial {
            reason: Reason::UnknownActor,
            origin: Some(Entity::System),
            namespace: actor.to_owned(),
            binding: String::new(),
            operation: operation.to_string(),
            message: format!("no actor `{actor}` runs on this host"),
        }));
    };
    Ok(direct(&Entity::System, callee, Admitted::Known(operation)))
}

#[inline]
fn direct<'t>(
    origin: &'t Entity,
    callee: &'t Principal,
    operation: Admitted<'t>,
) -> Granted<'t> {
    Granted {
        target: callee.spec.target,
        binding: None,
        parties: Parties { origin, target: &callee.entity },
        operation,
    }
}

/// What was asked for, for the sentence of a denial.
struct DenialContext<'a> {
    origin: Entity,
    actor: &'a str,
    binding: &'a str,
    namespace: &'a str,
    operation: &'a str,
}

impl<'a> DenialContext<'a> {
    fn of(
        caller: &'a Principal,
        (binding, namespace): (&'a str, &'a str),
        operation: &'a str,
    ) -> Self {
        Self {
            origin: caller.entity.clone(),
            actor: &caller.spec.name,
            binding,
            namespace,
            operation,
        }
    }
}

fn refuse(reason: Reason, context: &DenialContext<'_>) -> Box<Denial> {
    let DenialContext { actor, binding, namespace, operation, .. } = *context;
    let message = match reason {
        Reason::NotClaimed => format!(
            "actor `{actor}` is not authorized to use capability {namespace}: its claims do not \
             list it; sign it with that capability, or call an actor that runs here"
        ),
        Reason::NotGranted => format!(
            "actor `{actor}` is not authorized to use capability {namespace} for {operation}: its \
             claims grant other operations only; sign it with that grant"
        ),
        Reason::NotBound => format!(
            "actor `{actor}` has no binding `{binding}` for {namespace}; add one to the manifest"
        ),
        Reason::UnknownOperation => {
            format!("contract {namespace} has no operation `{operation}`")
        }
        Reason::WrongDirection => {
            format!("operation {operation} of {namespace} goes the other way")
        }
        Reason::UnknownActor => format!("no actor `{namespace}` runs on this host"),
        _ => format!(
            "actor `{actor}` may not call actor `{namespace}`: its claims do not list it under \
             `calls`; sign it with `--calls {namespace}`"
        ),
    };
    Box::new(Denial {
        reason,
        origin: Some(context.origin.clone()),
        namespace: namespace.to_owned(),
        binding: binding.to_owned(),
        operation: operation.to_owned(),
        message,
    })
}

fn gone(namespace: &str, operation: &str) -> Box<Denial> {
    Box::new(Denial {
        reason: Reason::UnknownCaller,
        origin: None,
        namespace: namespace.to_owned(),
        binding: String::new(),
        operation: operation.to_owned(),
        message: "the calling actor is being stopped".to_owned(),
    })
}

fn unbound(operation: &str) -> Box<Denial> {
    Box::new(Denial {
        reason: Reason::NotBound,
        origin: None,
        namespace: String::new(),
        binding: String::new(),
        operation: operation.to_owned(),
        message: "the binding was removed".to_owned(),
    })
}
