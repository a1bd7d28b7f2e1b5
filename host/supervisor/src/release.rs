//! What an actor, or a provider with claims, is by its claims: whether another one may follow.

use std::collections::BTreeSet;

use trellis_claims::{ActorClaims, PublicKey, Verified, VerifiedProvider};
use trellis_control::{ComponentKind, Loss};
use trellis_core::{CallError, Code, Contract};

use crate::actual::ActualState;
use crate::prepare::{Prepared, PreparedProvider, callees};

/// What somebody signed.
pub(crate) enum Release {
    Module(Verified),
    Archive(VerifiedProvider),
}

impl Release {
    /// That of an actor or a provider that a manifest wants; `None` of one that nobody signed.
    pub(crate) fn of(prepared: &Prepared, (kind, name): (ComponentKind, &str)) -> Option<Self> {
        match kind {
            ComponentKind::Actor => {
                let actor = prepared.actors.iter().find(|actor| *actor.name == *name)?;
                Some(Self::Module(actor.verified.clone()))
            }
            ComponentKind::Provider => {
                Self::of_provider(prepared.providers.iter().find(|it| *it.name == *name)?)
            }
        }
    }

    /// That of what has this name and runs; the outer `None` when nothing does.
    pub(crate) fn running(
        actual: &ActualState,
        (kind, name): (ComponentKind, &str),
    ) -> Option<Option<Self>> {
        match kind {
            ComponentKind::Actor => {
                let actor = actual.actors.get(name)?;
                Some(Some(Self::Module(actor.prepared.verified.clone())))
            }
            ComponentKind::Provider => {
                Some(Self::of_provider(&actual.providers.get(name)?.prepared))
            }
        }
    }

    fn of_provider(provider: &PreparedProvider) -> Option<Self> {
        let module = provider.module.as_ref().map(|it| Self::Module(it.verified.clone()));
        module.or_else(|| provider.claims.clone().map(Self::Archive))
    }

    /// Whether it may follow another one as the same thing: with its key, and a revision that is
    /// not older. Nobody owns the key of an unsigned module.
    ///
    /// # Errors
    /// [`Code::ActorKey`] or [`Code::Revision`].
    pub(crate) fn check_follows(
        &self,
        former: &Self,
        (kind, name): (ComponentKind, &str),
    ) -> Result<(), CallError> {
        match (self, former) {
            (Self::Module(_), Self::Module(former)) if former.is_unsigned() => Ok(()),
            (Self::Module(new), Self::Module(former)) => {
                let (claims, former) = (new.claims(), former.claims());
                if claims.subject == former.subject {
                    return Ok(claims.check_succeeds(former)?);
                }
                // Another provider of the same contract has another key.
                if kind == ComponentKind::Provider {
                    return Ok(());
                }
                let (new, old) = (&claims.subject, &former.subject);
                let text =
                    format!("its key is {new}, and {kind} {name} is {old}: it is another actor");
                Err(CallError::new(Code::ActorKey, text))
            }
            (Self::Archive(new), Self::Archive(former)) => Ok(new.check_succeeds(former)?),
            _ => Ok(()),
        }
    }

    /// What it may do and the other one may not, as it goes on after "may".
    pub(crate) fn gains(&self, former: Option<&Self>, contracts: &[Contract]) -> Vec<String> {
        // A program may ask for nothing by its claims.
        let Self::Module(new) = self else { return Vec::new() };
        let former = match former {
            Some(Self::Module(former)) => Some(former.claims()),
            Some(Self::Archive(_)) | None => None,
        };
        gains(new.claims(), former.map(|claims| &**claims), contracts)
    }
}

/// What claims allow and others do not.
fn gains(new: &ActorClaims, old: Option<&ActorClaims>, contracts: &[Contract]) -> Vec<String> {
    let is_same = |one: &str, other: &str| {
        one == other || contracts.iter().any(|it| it.answers_to(one) && it.answers_to(other))
    };
    let could = |cap: &str| old.is_some_and(|old| old.caps.iter().any(|had| is_same(had, cap)));
    let mut gains = Vec::new();
    for cap in new.caps.iter().filter(|cap| PublicKey::parse(cap).is_err()) {
        if !could(cap) {
            gains.push(Loss::Capability(cap.clone()).to_string());
            continue;
        }
        // Without a list it may use all of a contract.
        let listed = |claims: &ActorClaims| {
            let mut lists = claims.grants.iter().filter(|(id, _)| is_same(id, cap)).peekable();
            lists.peek()?;
            let operations = lists.flat_map(|(_, operations)| operations);
            Some(operations.cloned().collect::<BTreeSet<String>>())
        };
        let Some(before) = old.and_then(listed) else { continue };
        let Some(now) = listed(new) else {
            gains.push(format!("use all of {cap}"));
            continue;
        };
        let operations: Vec<_> = now.difference(&before).cloned().collect();
        if !operations.is_empty() {
            gains.push(Loss::Operations { contract: cap.clone(), operations }.to_string());
        }
    }
    let called = old.map(callees).unwrap_or_default();
    let more = callees(new).into_iter().filter(|callee| !called.contains(callee));
    gains.extend(more.map(|callee| Loss::Call(callee.to_owned()).to_string()));
    gains
}

#[cfg(test)]
mod tests {
    use trellis_claims::{ClaimsDraft, KeyKind, KeyPair, SystemClock, TrustList, sign, verify};
    use trellis_testkit::guests::wasm;

    use super::*;

    const ACTOR: (ComponentKind, &str) = (ComponentKind::Actor, "counter");

    /// Releases of one actor, or of another one of the same account.
    struct Signer {
        account: KeyPair,
        keys: [KeyPair; 2],
    }

    impl Signer {
        fn new() -> Self {
            let key = || KeyPair::generate(KeyKind::Module);
            Self { account: KeyPair::generate(KeyKind::Account), keys: [key(), key()] }
        }

        fn release(&self, key: usize, change: impl FnOnce(&mut ClaimsDraft)) -> Release {
            let mut draft = ClaimsDraft::new(self.keys[key].public().clone());
            change(&mut draft);
            let module = sign(&wasm("(module)"), &draft, &self.account, &SystemClock);
            let trust = TrustList::new(0).trust(self.account.public()).expect("an account");
            let verified = verify(&module.expect("it is signed"), &trust, &SystemClock);
            Release::Module(verified.expect("it is right"))
        }
    }

    fn texts(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn only_the_same_actor_of_no_older_revision_follows() {
        let signer = Signer::new();
        let of = |key, revision| signer.release(key, |draft| draft.revision = Some(revision));
        let running = of(0, 2);
        let code = |new: Release| new.check_follows(&running, ACTOR).err().map(|it| it.code());
        assert_eq!(code(of(0, 3)), None);
        assert_eq!(code(of(0, 2)), None, "an equal one is not older");
        assert_eq!(code(of(0, 1)), Some(Code::Revision));
        assert_eq!(code(of(1, 3)), Some(Code::ActorKey));
        let provider = (ComponentKind::Provider, "geo");
        let other = of(1, 1).check_follows(&running, provider);
        assert!(other.is_ok(), "another implementation has another key");
    }

    #[test]
    fn what_a_release_may_do_more_is_named() {
        let signer = Signer::new();
        let of = |caps: &[&str], grants: &[&str], calls: &[&str]| {
            signer.release(0, |draft| {
                draft.caps = texts(caps);
                draft.calls = texts(calls);
                if !grants.is_empty() {
                    draft.grants.insert("a:b".to_owned(), texts(grants).into_iter().collect());
                }
            })
        };
        let some = of(&["a:b"], &["Get"], &["one"]);
        let all = of(&["a:b"], &[], &["one"]);
        for (new, old, gained) in [
            (of(&["a:b"], &["Get"], &["one"]), Some(&some), vec![]),
            (of(&["a:b"], &["Get"], &["one"]), Some(&all), vec![]),
            (of(&[], &[], &[]), Some(&some), vec![]),
            (of(&["a:b"], &["Get", "Set"], &[]), Some(&some), vec!["use Set of a:b"]),
            (of(&["a:b"], &[], &[]), Some(&some), vec!["use all of a:b"]),
            (of(&["a:b", "c:d"], &["Get"], &[]), Some(&some), vec!["use c:d"]),
            (of(&[], &[], &["one", "two"]), Some(&some), vec!["call `two`"]),
            (of(&["a:b"], &["Get"], &[]), None, vec!["use a:b"]),
        ] {
            assert_eq!(new.gains(old, &[]), texts(&gained));
        }
    }
}
