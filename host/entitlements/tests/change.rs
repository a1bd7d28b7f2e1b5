//! Entitlements while they change: versions of an actor, its names, its bindings.

mod support;

use std::borrow::Cow;
use std::sync::Arc;

use support::{Guarded, KEYVALUE, World};
use trellis_claims::{KeyKind, KeyPair};
use trellis_core::{BindingId, Code};
use trellis_entitlements::{
    ActorId, AllowAll, AuthzRequest, EntitlementSet, PrincipalSpec, Rules, TargetId,
};

const GREET: Cow<'static, str> = Cow::Borrowed("Greet");
const OLD: ActorId = ActorId(0);
const NEW: ActorId = ActorId(500);

fn get(actor: ActorId) -> AuthzRequest<'static> {
    AuthzRequest::FromActor { actor, binding: "", namespace: KEYVALUE, operation: "Get" }
}

fn greet(actor: ActorId, callee: &str) -> AuthzRequest<'_> {
    AuthzRequest::FromActor { actor, binding: "", namespace: callee, operation: "Greet" }
}

fn named(name: &str) -> AuthzRequest<'_> {
    AuthzRequest::FromSystem { actor: name, operation: &GREET }
}

/// A new version of `whole`, with these claims changed.
fn version(world: &World, change: impl FnOnce(&mut trellis_claims::ActorClaims)) -> PrincipalSpec {
    let mut spec = world.actors[0].clone();
    let mut claims = (*spec.claims).clone();
    change(&mut claims);
    (spec.id, spec.target, spec.claims) = (NEW, TargetId(900), Arc::new(claims));
    spec
}

fn guarded(set: EntitlementSet) -> Guarded {
    let (mut gate, _) = World::new().gate(AllowAll);
    gate.publish(set);
    gate
}

#[test]
fn a_version_keeps_its_own_claims_and_bindings_until_it_is_removed() {
    let world = World::new();
    let mut set = world.set();
    set.succeed(OLD, version(&world, |claims| claims.caps.clear()));
    let mut to_new = world.bindings[0].clone();
    (to_new.id, to_new.actor) = (BindingId(700), NEW);
    set.bind(&to_new);
    let gate = guarded(set.clone());
    let late = gate.admit(&get(OLD)).expect("its own claims").redeem();
    assert_eq!(late.binding, Some(world.bindings[0].id), "its own binding");
    assert_eq!(gate.admit(&get(NEW)).expect_err("its own claims").code(), Code::Denied);
    assert_eq!(gate.admit(&named("friend")).expect("the name moved").redeem().target.0, 900);

    set.remove(OLD);
    let gate = guarded(set);
    assert_eq!(gate.admit(&get(OLD)).expect_err("gone").code(), Code::Stopping);
    let inward = AuthzRequest::FromProvider {
        provider: TargetId(2),
        binding: world.bindings[1].id,
        operation: "HandleRequest",
    };
    assert_eq!(gate.admit(&inward).expect_err("gone with its actor").code(), Code::NotFound);
}

/// An actor's new version has taken over from the old one; another actor wants its alias.
fn succeeded_beside_a_rival() -> (World, EntitlementSet) {
    let world = World::new();
    let mut set = world.set();
    let mut rival = version(&world, |claims| {
        claims.subject = KeyPair::generate(KeyKind::Module).public().clone();
    });
    (rival.id, rival.target, rival.name) = (ActorId(400), TargetId(800), "rival".into());
    set.add(rival);
    set.succeed(OLD, version(&world, |_| {}));
    (world, set)
}

#[test]
fn a_new_version_inherits_the_place_of_the_old_one() {
    let (_, mut set) = succeeded_beside_a_rival();
    assert_eq!(guarded(set.clone()).admit(&named("friend")).expect("here").redeem().target.0, 900);
    set.remove(NEW);
    assert_eq!(guarded(set).admit(&named("friend")).expect("the rival").redeem().target.0, 800);
}

#[test]
fn a_version_that_gives_its_names_back_leaves_nothing_behind() {
    let (world, mut set) = succeeded_beside_a_rival();
    set.reinstate(NEW, OLD);
    let target = world.actors[0].target;
    for removed in [None, Some(NEW)] {
        removed.into_iter().for_each(|id| set.remove(id));
        let gate = guarded(set.clone());
        assert_eq!(gate.admit(&named("friend")).expect("its name").redeem().target, target);
        let own = gate.admit(&get(OLD)).expect("its own claims").redeem();
        assert_eq!(own.binding, Some(world.bindings[0].id), "its own binding");
    }
}

#[test]
fn an_alias_that_is_a_contract_id_receives_no_call_meant_for_a_provider() {
    let world = World::new();
    for rules in [Rules::default(), Rules { open_calls: true }] {
        let mut set = world.set();
        set.set_rules(rules);
        set.add(version(&world, |claims| {
            claims.subject = KeyPair::generate(KeyKind::Module).public().clone();
            claims.call_alias = Some(KEYVALUE.to_owned());
        }));
        let gate = guarded(set);
        // It claims the contract, but is not bound to it.
        let refused = gate.admit(&get(world.ids["unbound"])).expect_err("no binding");
        assert!(refused.message().contains("has no binding"), "{refused}");
        assert_eq!(gate.admit(&named(KEYVALUE)).expect_err("no name").code(), Code::NotFound);
    }
}

#[test]
fn a_callee_that_stopped_is_not_found() {
    let world = World::new();
    let mut set = world.set();
    set.remove(OLD);
    let gate = guarded(set.clone());
    let key = world.keys["whole"].to_string();
    for (caller, name) in [("by_alias", "friend"), ("by_key", &*key), ("by_caps", &*key)] {
        let refused = gate.admit(&greet(world.ids[caller], name)).expect_err("stopped");
        assert_eq!(refused.code(), Code::NotFound, "{caller}: {refused}");
    }
    let stranger = gate.admit(&greet(world.ids["unclaimed"], "friend")).expect_err("not listed");
    assert_eq!(stranger.code(), Code::Denied);
    set.set_rules(Rules { open_calls: true });
    let open = guarded(set).admit(&greet(world.ids["unclaimed"], "friend")).map(drop);
    assert_eq!(open.expect_err("stopped").code(), Code::NotFound);
}

#[test]
fn an_earlier_binding_serves_its_provider_until_it_is_unbound() {
    let world = World::new();
    let mut set = world.set();
    let mut later = world.bindings[1].clone();
    later.id = BindingId(700);
    set.bind(&later);
    let asks = |binding| AuthzRequest::FromProvider {
        provider: TargetId(2),
        binding,
        operation: "HandleRequest",
    };
    let gate = guarded(set.clone());
    let _ = gate.admit(&asks(world.bindings[1].id)).expect("still there");
    let _ = gate.admit(&asks(later.id)).expect("there already");
    set.unbind(world.bindings[1].id);
    let gate = guarded(set);
    assert_eq!(
        gate.admit(&asks(world.bindings[1].id)).map(drop).expect_err("gone").code(),
        Code::NotFound
    );
    let _ = gate.admit(&asks(later.id)).expect("untouched");
}
