//! The one check every call passes.

use std::borrow::Cow;
use std::sync::Arc;

use trellis_core::{BindingName, CallError, ContractId, Direction, Entity, Parties};

use crate::audit::AuditSink;
use crate::denial::{Denial, Reason};
use crate::link::{End, Link};
use crate::metrics::Metrics;
use crate::permit::{Granted, Permit};
use crate::policy::{Decision, Policy, Question};
use crate::roster::{ActorId, LinkId, TargetId};
use crate::table::{Seat, Table};

/// Who asks for what, in the words the asker used. The asker itself is known by its handle, which
/// the host gave it: no payload can change it.
#[derive(Clone, Copy, Debug)]
pub enum Ask<'a> {
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
        link: LinkId,
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

/// Claims, binding and policy, checked on every call. The claims and bindings are the table's,
/// which every check is given: the caller holds it, together with the routes of the same moment.
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
    pub fn admit<'t>(&self, table: &'t Table, ask: &Ask<'_>) -> Result<Permit<'t>, CallError> {
        self.check(table, ask).map_err(|denial| self.refused(table, *denial))
    }

    #[cold]
    fn refused(&self, table: &Table, denial: Denial) -> CallError {
        // What a policy refuses was resolved before, and what lacks a binding is claimed: both are
        // words of the host's own.
        let known = matches!(denial.reason, Reason::Policy | Reason::NotBound)
            || table.has_contract(&denial.namespace);
        self.metrics.count(&denial, known && !denial.namespace.is_empty());
        self.audit.denied(&denial);
        CallError::from(denial)
    }

    #[inline]
    fn check<'t>(&self, table: &'t Table, ask: &Ask<'_>) -> Result<Permit<'t>, Box<Denial>> {
        let (granted, contract) = match *ask {
            Ask::FromActor { actor, binding, namespace, operation } => {
                let seat = table.seat(actor).ok_or_else(|| gone(namespace, operation))?;
                let binding = BindingName::normalise(binding);
                match seat.link(namespace, binding) {
                    Some(link) => (outward(seat, link, operation)?, Some(&link.contract)),
                    None => (to_actor(table, seat, binding, namespace, operation)?, None),
                }
            }
            Ask::FromProvider { provider, link, operation } => {
                let own = |link: &&Arc<Link>| link.provider.target == provider;
                let link = table.link(link).filter(own).ok_or_else(|| unbound(operation))?;
                (inward(link, operation)?, Some(&link.contract))
            }
            Ask::FromSystem { actor, operation } => {
                (from_system(table, actor, operation.clone())?, None)
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
        let question =
            Question { parties: granted.parties, contract, operation: &granted.operation };
        match self.policy.decide(&question) {
            Decision::Allow => Ok(Permit::new(granted)),
            Decision::Deny(why) => {
                let Parties { origin, target } = granted.parties;
                Err(Box::new(Denial {
                    reason: Reason::Policy,
                    origin: Some(origin.clone()),
                    namespace: contract.map_or_else(|| target.to_string(), ToString::to_string),
                    binding: String::new(),
                    operation: granted.operation.to_string(),
                    message: format!(
                        "policy refuses {origin} the operation {} on {target}: {why}",
                        granted.operation
                    ),
                }))
            }
        }
    }
}

#[inline]
fn outward<'t>(seat: &Seat, link: &'t Link, operation: &str) -> Result<Granted<'t>, Box<Denial>> {
    let verb = link.verb(operation, Direction::ToProvider);
    verb.map(|name| over(link, (&link.actor, &link.provider), name.clone())).map_err(|reason| {
        let Entity::Provider { binding, .. } = &link.provider.entity else {
            return gone(link.contract.as_str(), operation);
        };
        refuse(reason, &Words::of(seat, binding.as_str(), link.contract.as_str(), operation))
    })
}

#[inline]
fn inward<'t>(link: &'t Link, operation: &str) -> Result<Granted<'t>, Box<Denial>> {
    let verb = link.verb(operation, Direction::ToActor);
    verb.map(|name| over(link, (&link.provider, &link.actor), name.clone())).map_err(|reason| {
        let words = Words {
            origin: link.provider.entity.clone(),
            actor: &link.actor.entity.to_string(),
            binding: BindingName::DEFAULT,
            namespace: link.contract.as_str(),
            operation,
        };
        refuse(reason, &words)
    })
}

#[inline]
fn over<'t>(
    link: &Link,
    (from, to): (&'t End, &'t End),
    operation: Cow<'static, str>,
) -> Granted<'t> {
    Granted {
        target: to.target,
        link: Some(link.id),
        parties: Parties { origin: &from.entity, target: &to.entity },
        operation,
    }
}

/// No link by that name: an actor's name, a contract without a binding, or nothing at all.
fn to_actor<'t>(
    table: &'t Table,
    seat: &'t Seat,
    binding: &str,
    namespace: &str,
    operation: &str,
) -> Result<Granted<'t>, Box<Denial>> {
    let words = Words::of(seat, binding, namespace, operation);
    let Some(callee) = table.seat_named(namespace) else {
        let claimed = seat.member.claims.caps.iter().any(|cap| cap == namespace)
            || seat.has_contract(namespace);
        let reason = if claimed { Reason::NotBound } else { Reason::NotClaimed };
        return Err(refuse(reason, &words));
    };
    if !table.rules().open_calls && !seat.may_call(callee) {
        return Err(refuse(Reason::NotCallable, &words));
    }
    Ok(direct(&seat.entity, callee, Cow::Owned(operation.to_owned())))
}

#[inline]
fn from_system<'t>(
    table: &'t Table,
    actor: &str,
    operation: Cow<'static, str>,
) -> Result<Granted<'t>, Box<Denial>> {
    let Some(callee) = table.seat_named(actor) else {
        return Err(Box::new(Denial {
            reason: Reason::UnknownActor,
            origin: Some(Entity::System),
            namespace: actor.to_owned(),
            binding: String::new(),
            operation: operation.into_owned(),
            message: format!("no actor `{actor}` runs on this host"),
        }));
    };
    Ok(direct(&Entity::System, callee, operation))
}

#[inline]
fn direct<'t>(origin: &'t Entity, callee: &'t Seat, operation: Cow<'static, str>) -> Granted<'t> {
    Granted {
        target: callee.member.target,
        link: None,
        parties: Parties { origin, target: &callee.entity },
        operation,
    }
}

/// What was asked for, for the sentence of a denial.
struct Words<'a> {
    origin: Entity,
    actor: &'a str,
    binding: &'a str,
    namespace: &'a str,
    operation: &'a str,
}

impl<'a> Words<'a> {
    fn of(seat: &'a Seat, binding: &'a str, namespace: &'a str, operation: &'a str) -> Self {
        Self {
            origin: seat.entity.clone(),
            actor: &seat.member.name,
            binding,
            namespace,
            operation,
        }
    }
}

fn refuse(reason: Reason, words: &Words<'_>) -> Box<Denial> {
    let Words { actor, binding, namespace, operation, .. } = *words;
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
        _ => format!(
            "actor `{actor}` may not call actor `{namespace}`: its claims do not list it under \
             `calls`; sign it with `--calls {namespace}`"
        ),
    };
    Box::new(Denial {
        reason,
        origin: Some(words.origin.clone()),
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
