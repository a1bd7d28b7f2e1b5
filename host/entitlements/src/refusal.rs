//! What a refusal says: what is missing, and how to get it.

use trellis_claims::normalize_alias;
use trellis_core::Entity;

use crate::denial::{Absence, AbsentEnd, Denial, Reason, Refusal};
use crate::principal::Principal;
use crate::set::EntitlementSet;

/// Most bindings of an actor that a denial names.
const NAMED_MAX: usize = 5;

/// What is known of a call that is refused: who asked, and for what.
pub(crate) struct DenialContext<'a> {
    pub(crate) origin: Entity,
    /// The actor's name in the manifest.
    pub(crate) actor: &'a str,
    pub(crate) binding: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) operation: &'a str,
}

impl<'a> DenialContext<'a> {
    pub(crate) fn by(
        caller: &'a Principal,
        (binding, namespace): (&'a str, &'a str),
        operation: &'a str,
    ) -> Self {
        let (origin, actor) = (caller.entity.clone(), &*caller.spec.name);
        Self { origin, actor, binding, namespace, operation }
    }

    /// The contract, or this use of it, is not the actor's to ask for.
    pub(crate) fn refused_over_binding(self, reason: Reason) -> Box<Refusal> {
        let Self { actor, namespace, operation, .. } = self;
        let message = match reason {
            Reason::NotGranted => format!(
                "actor `{actor}` is not authorized to use capability {namespace} for {operation}: \
                 its claims grant other operations only; sign it with that grant"
            ),
            Reason::UnknownOperation => {
                format!("contract {namespace} has no operation `{operation}`")
            }
            Reason::WrongDirection => {
                format!("operation {operation} of {namespace} goes the other way")
            }
            _ => format!(
                "actor `{actor}` is not authorized to use capability {namespace}: its claims do \
                 not list it; sign it with that capability"
            ),
        };
        self.denied(reason, message)
    }

    /// The actor claims the contract, but has no binding of that name.
    pub(crate) fn without_binding(self, caller: &Principal) -> Box<Refusal> {
        let Self { actor, binding, namespace, .. } = self;
        let names: Vec<_> = caller.binding_names(namespace).take(NAMED_MAX + 1).collect();
        let cure = match &*names {
            [] => "add one to the manifest".to_owned(),
            names => {
                let shown: Vec<_> =
                    names.iter().take(NAMED_MAX).map(|name| format!("`{name}`")).collect();
                let more = if names.len() > NAMED_MAX { " and others" } else { "" };
                format!(
                    "it has {}{more}: use that name, or write `name: {binding}` at a binding in \
                     the manifest",
                    shown.join(", ")
                )
            }
        };
        let message = format!("actor `{actor}` has no binding `{binding}` for {namespace}; {cure}");
        self.denied(Reason::NotBound, message)
    }

    /// The manifest has the binding, and nothing serves it now.
    pub(crate) fn unserved(self, why: &str) -> Box<Refusal> {
        let Self { actor, namespace, .. } = self;
        Box::new(Refusal::Absent(Absence {
            end: AbsentEnd::Provider,
            origin: Some(self.origin),
            namespace: namespace.to_owned(),
            operation: self.operation.to_owned(),
            message: format!("actor `{actor}` cannot use {namespace} now: {why}"),
        }))
    }

    /// It may be called, but it is not here.
    pub(crate) fn of_nobody(self, set: &EntitlementSet) -> Box<Refusal> {
        let message = match set.unserved().why_not_here(self.namespace) {
            Some(why) => why.to_owned(),
            None => format!("no actor `{}` runs on this host{}", self.namespace, self.near(set)),
        };
        Box::new(Refusal::Absent(Absence {
            end: AbsentEnd::Callee,
            origin: Some(self.origin),
            namespace: self.namespace.to_owned(),
            operation: self.operation.to_owned(),
            message,
        }))
    }

    /// It is neither an actor nor a capability.
    pub(crate) fn of_nothing(self, set: &EntitlementSet) -> Box<Refusal> {
        let Self { actor, namespace, .. } = self;
        let message = format!(
            "actor `{actor}` is not authorized to use `{namespace}`: its claims list no such \
             capability, and no actor that runs here has that key, call alias or name{}",
            self.near(set)
        );
        self.denied(Reason::NotClaimed, message)
    }

    /// It is another actor, which the claims do not let this one call.
    pub(crate) fn of_another(self, caller: &Principal, callee: &Principal) -> Box<Refusal> {
        let Self { actor, namespace, .. } = self;
        let claims = &callee.spec.claims;
        let why = if caller.lists(namespace) {
            "claims have to list a key or a call alias, and its own list a name of the manifest"
        } else {
            "its claims do not list it under `calls`"
        };
        let cure = match claims.call_alias.as_deref() {
            Some(alias) => format!("sign it with `--calls {alias}`"),
            None => format!(
                "sign it with `--calls {}`, the key of `{}`, which has no call alias \
                 (`--call-alias`)",
                claims.subject, callee.spec.name
            ),
        };
        let message = format!("actor `{actor}` may not call actor `{namespace}`: {why}; {cure}");
        self.denied(Reason::NotCallable, message)
    }

    /// The actor that was probably meant: call aliases are written in one way only.
    fn near(&self, set: &EntitlementSet) -> String {
        let normal = normalize_alias(self.namespace).filter(|normal| normal != self.namespace);
        let near = normal.filter(|normal| set.named(normal).is_some());
        near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
    }

    fn denied(self, reason: Reason, message: String) -> Box<Refusal> {
        Box::new(Refusal::Denied(Denial {
            reason,
            origin: Some(self.origin),
            namespace: self.namespace.to_owned(),
            binding: self.binding.to_owned(),
            operation: self.operation.to_owned(),
            message,
        }))
    }
}

/// The asker is not here any more.
pub(crate) fn gone(namespace: &str, operation: &str) -> Box<Refusal> {
    Box::new(Refusal::Absent(Absence {
        end: AbsentEnd::Caller,
        origin: None,
        namespace: namespace.to_owned(),
        operation: operation.to_owned(),
        message: "the calling actor is being stopped".to_owned(),
    }))
}

/// The binding is another provider's, or was this one's before it moved.
pub(crate) fn foreign(operation: &str) -> Box<Refusal> {
    Box::new(Refusal::Denied(Denial {
        reason: Reason::NotBound,
        origin: None,
        namespace: String::new(),
        binding: String::new(),
        operation: operation.to_owned(),
        message: "the binding was removed".to_owned(),
    }))
}

/// The binding is not here any more, and so its actor is not for the provider that asks.
pub(crate) fn unbound(operation: &str) -> Box<Refusal> {
    Box::new(Refusal::Absent(Absence {
        end: AbsentEnd::Callee,
        origin: None,
        namespace: String::new(),
        operation: operation.to_owned(),
        message: "the actor is not bound to this provider any more".to_owned(),
    }))
}
