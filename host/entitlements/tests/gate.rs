//! What the matrix cannot show: the audit trail, what a permit carries, and a million guesses.

mod support;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use support::{ACTORS, HTTP, KEYVALUE, NoAdd, World};
use trellis_core::{BindingName, Code, Entity};
use trellis_entitlements::{
    AbsentEnd, ActorId, AllowAll, AuthzRequest, EntitlementSet, PrincipalSpec, Reason, Rules,
    Unserved, UnservedBindings,
};

const GREET: Cow<'static, str> = Cow::Borrowed("Greet");

fn from_actor<'a>(
    world: &World,
    actor: &str,
    namespace: &'a str,
    operation: &'a str,
) -> AuthzRequest<'a> {
    AuthzRequest::FromActor { actor: world.ids[actor], binding: "", namespace, operation }
}

#[test]
fn a_permit_carries_the_caller_the_host_knows() {
    let world = World::new();
    let (gate, _) = world.gate(AllowAll);
    let granted =
        gate.admit(&from_actor(&world, "whole", KEYVALUE, "Get")).expect("entitled").redeem();
    let Entity::Actor(key) = &granted.parties.origin else { panic!("an actor asked") };
    assert_eq!(key.as_str(), world.keys["whole"].as_str());
    assert_eq!(granted.parties.target.to_string(), "wascc:keyvalue/default");
    assert_eq!(granted.operation.as_str(), "Get");
    assert!(granted.binding.is_some());
}

#[test]
fn every_denial_is_audited_with_its_reason() {
    let world = World::new();
    let (gate, audited) = world.gate(NoAdd);
    let asks = [
        (from_actor(&world, "unclaimed", KEYVALUE, "Get"), Reason::NotClaimed),
        (from_actor(&world, "granted", KEYVALUE, "Add"), Reason::NotGranted),
        (from_actor(&world, "unbound", KEYVALUE, "Get"), Reason::NotBound),
        (from_actor(&world, "whole", KEYVALUE, "Grab"), Reason::UnknownOperation),
        (from_actor(&world, "whole", HTTP, "HandleRequest"), Reason::WrongDirection),
        (from_actor(&world, "whole", KEYVALUE, "Add"), Reason::Policy),
        (from_actor(&world, "unbound", "friend", "Greet"), Reason::NotCallable),
    ];
    for (ask, _) in &asks {
        gate.admit(ask).expect_err("refused");
    }
    let audited = audited.0.lock().expect("no panics");
    let reasons: Vec<_> = audited.iter().map(|denial| denial.reason).collect();
    assert_eq!(reasons, asks.map(|(_, reason)| reason));
    assert!(audited.iter().all(|denial| denial.origin.is_some()));
}

#[test]
fn who_is_not_here_is_no_denial() {
    let mut world = World::new();
    let (mut gate, audited) = world.gate(AllowAll);
    let to_friend = from_actor(&world, "by_alias", "friend", "Greet");
    let of_friend = from_actor(&world, "whole", KEYVALUE, "Get");
    let of_the_host = AuthzRequest::FromSystem { actor: "friend", operation: &GREET };
    let _ = gate.admit(&to_friend).expect("it runs");
    world.actors.retain(|member| member.id != world.ids["whole"]);
    gate.publish(world.set());
    let codes = [to_friend, of_the_host, of_friend]
        .map(|ask| gate.admit(&ask).expect_err("it was stopped").code());
    assert_eq!(codes, [Code::NotFound, Code::NotFound, Code::Stopping]);
    assert!(audited.0.lock().expect("no panics").is_empty(), "nobody was denied anything");
    let absent = audited.1.lock().expect("no panics");
    let ends: Vec<_> = absent.iter().map(|absence| absence.end).collect();
    assert_eq!(ends, [AbsentEnd::Callee, AbsentEnd::Callee, AbsentEnd::Caller]);
    let metrics = gate.metrics();
    assert!(metrics.contains("calls_absent_total{end=\"callee\"} 2"), "{metrics}");
    assert!(metrics.contains("calls_absent_total{end=\"caller\"} 1"), "{metrics}");
    assert!(!metrics.contains("authz_denied_total{"), "{metrics}");
}

#[test]
fn whoever_may_call_it_by_any_word_of_its_claims_finds_it_gone_and_others_are_denied() {
    let world = World::new();
    let (mut gate, audited) = world.gate(AllowAll);
    let mut set = world.set();
    set.retire(world.ids["whole"]);
    gate.publish(set.clone());
    let callers = ["by_key", "by_alias", "by_issuer", "by_caps"];
    let names = ["friend", "whole-in-manifest"];
    let asks = || callers.iter().flat_map(|caller| names.map(|name| (*caller, name)));
    for (caller, name) in asks() {
        let ask = from_actor(&world, caller, name, "Greet");
        let error = gate.admit(&ask).expect_err("it was stopped");
        assert_eq!(error.code(), Code::NotFound, "{caller} {name}");
    }
    assert!(audited.0.lock().expect("no panics").is_empty(), "nobody was denied anything");
    let stranger = from_actor(&world, "unbound", "friend", "Greet");
    assert_eq!(gate.admit(&stranger).expect_err("a stranger").code(), Code::Denied);
    // What comes back is there again.
    set.remove(world.ids["whole"]);
    set.add(world.actors[0].clone());
    gate.publish(set);
    for (caller, name) in asks() {
        let _ = gate.admit(&from_actor(&world, caller, name, "Greet")).expect("it runs");
    }
}

#[test]
fn names_of_the_departed_are_remembered_up_to_a_bound() {
    let mut world = World::new();
    world.actors.retain(|actor| actor.id == world.ids["by_issuer"]);
    let (mut gate, _) = world.gate(AllowAll);
    let mut set = world.set();
    let whole = World::new().actors[0].clone();
    let issuer = world.actors[0].claims.calls[0].clone();
    let mut claims = (*whole.claims).clone();
    claims.issuer = issuer.parse().expect("an account key");
    claims.call_alias = None;
    let claims = std::sync::Arc::new(claims);
    let leave = |set: &mut EntitlementSet, number: u64| {
        let id = ActorId(1_000 + number);
        let (name, claims) = (format!("n{number}").into(), std::sync::Arc::clone(&claims));
        set.add(PrincipalSpec { id, name, claims, ..whole.clone() });
        set.remove(id);
    };
    let mut code_of_first = |set: &EntitlementSet| {
        gate.publish(set.clone());
        gate.admit(&from_actor(&world, "by_issuer", "n0", "Greet")).expect_err("it left").code()
    };
    // One of the names is the key, which they share.
    (0..9_999).for_each(|number| leave(&mut set, number));
    assert_eq!(code_of_first(&set), Code::NotFound);
    leave(&mut set, 9_999);
    assert_eq!(code_of_first(&set), Code::Denied, "one too many");
}

#[test]
fn the_actor_of_a_removed_binding_is_gone_and_nobody_was_denied_it() {
    let mut world = World::new();
    let (mut gate, audited) = world.gate(AllowAll);
    let http = world.bindings.iter().find(|it| it.contract.id.as_str() == HTTP).expect("bound");
    let (provider, binding) = (http.target, http.id);
    let ask = AuthzRequest::FromProvider { provider, binding, operation: "HandleRequest" };
    let _ = gate.admit(&ask).expect("it is bound");
    world.bindings.retain(|it| it.id != binding);
    gate.publish(world.set());
    assert_eq!(gate.admit(&ask).expect_err("it was removed").code(), Code::NotFound);
    assert!(audited.0.lock().expect("no panics").is_empty(), "nobody was denied anything");
    assert_eq!(audited.1.lock().expect("no panics")[0].end, AbsentEnd::Callee);
}

/// Whoever reads that the manifest lacks it would write it there a second time.
#[test]
fn what_is_wanted_and_not_served_is_no_denial_and_says_why() {
    let world = World::new();
    let (mut gate, audited) = world.gate(AllowAll);
    let contract = &world.bindings[0].contract;
    let unserved = |actor: &str, name: &str| Unserved {
        actor: format!("{actor}-in-manifest").into(),
        contract: Arc::clone(contract),
        name: BindingName::new(name),
        why: "provider store does not run".to_owned(),
    };
    let mut set = world.set();
    let all = [unserved("unbound", ""), unserved("whole", "other"), unserved("by_key", "")];
    set.set_unserved(all.into_iter().collect());
    gate.publish(set);
    for namespace in [KEYVALUE, "wasmcloud:keyvalue"] {
        let ask = from_actor(&world, "unbound", namespace, "Get");
        let error = gate.admit(&ask).expect_err("nothing serves it");
        assert_eq!(error.code(), Code::Provider);
        assert!(error.message().ends_with("now: provider store does not run"), "{error}");
    }
    assert!(audited.0.lock().expect("no panics").is_empty(), "nobody was denied anything");
    assert_eq!(audited.1.lock().expect("no panics")[0].end, AbsentEnd::Provider);
    let metrics = gate.metrics();
    assert!(metrics.contains("calls_absent_total{end=\"provider\"} 2"), "{metrics}");
    // It takes nothing from what is bound, and gives nothing to who does not claim it.
    let _ = gate.admit(&from_actor(&world, "whole", KEYVALUE, "Get")).expect("it is bound");
    let stranger = gate.admit(&from_actor(&world, "by_key", KEYVALUE, "Get"));
    assert_eq!(stranger.expect_err("it does not claim it").code(), Code::Denied);
    let ask = |binding| {
        let (actor, namespace, operation) = (world.ids["whole"], KEYVALUE, "Get");
        AuthzRequest::FromActor { actor, binding, namespace, operation }
    };
    let code = |binding| gate.admit(&ask(binding)).expect_err("it is not there").code();
    assert_eq!((code("other"), code("third")), (Code::Provider, Code::Denied));
}

#[test]
fn whoever_calls_an_actor_that_was_stopped_is_told_so() {
    let world = World::new();
    let (mut gate, _) = world.gate(AllowAll);
    let mut set = world.set();
    let why = |name: &str| (Arc::from(name), Arc::from(format!("{name} was stopped")));
    set.set_unserved(UnservedBindings::default().without_actors([why("away"), why("friend")]));
    gate.publish(set);
    let ask = |actor| AuthzRequest::FromSystem { actor, operation: &GREET };
    let error = gate.admit(&ask("away")).expect_err("it does not run");
    assert_eq!((error.code(), error.message()), (Code::NotFound, "away was stopped"));
    let error = gate.admit(&ask("nobody")).expect_err("there is none");
    assert!(error.message().starts_with("no actor `nobody` runs"), "{error}");
    let _ = gate.admit(&ask("friend")).expect("what runs is called, whatever else is said");
}

#[test]
fn open_calls_let_every_actor_call_every_actor_and_nothing_else() {
    let mut world = World::new();
    world.rules = Rules { open_calls: true };
    let (gate, _) = world.gate(AllowAll);
    let _ = gate.admit(&from_actor(&world, "unclaimed", "friend", "Greet")).expect("open");
    let error = gate.admit(&from_actor(&world, "unclaimed", KEYVALUE, "Get")).expect_err("closed");
    assert_eq!(error.code(), Code::Denied);
}

#[test]
fn a_stopped_actor_can_ask_for_nothing() {
    let mut world = World::new();
    let ask = from_actor(&world, "whole", KEYVALUE, "Get");
    let (mut gate, _) = world.gate(AllowAll);
    let _ = gate.admit(&ask).expect("it runs");
    world.actors.retain(|member| member.id != world.ids["whole"]);
    gate.publish(world.set());
    assert_eq!(gate.admit(&ask).expect_err("gone").code(), Code::Stopping);
}

#[test]
fn names_cannot_be_taken_over_by_a_later_actor() {
    let mut world = World::new();
    let mut squatter = world.actors[1].clone();
    let mut claims = (*squatter.claims).clone();
    claims.call_alias = Some("friend".to_owned());
    squatter.claims = std::sync::Arc::new(claims);
    squatter.name = "whole-in-manifest".into();
    world.actors[1] = squatter;
    let (gate, _) = world.gate(AllowAll);
    for name in ["friend", "whole-in-manifest"] {
        let ask = AuthzRequest::FromSystem { actor: name, operation: &GREET };
        assert_eq!(gate.admit(&ask).expect("first wins").redeem().target.0, 100);
    }
}

/// What the gate says when it refuses this.
fn said(gate: &support::Guarded, ask: &AuthzRequest<'_>) -> String {
    gate.admit(ask).expect_err("refused").message().to_owned()
}

#[test]
fn a_denial_of_a_binding_names_those_that_exist() {
    let world = World::new();
    let (gate, _) = world.gate(AllowAll);
    let other = AuthzRequest::FromActor {
        actor: world.ids["whole"],
        binding: "other",
        namespace: KEYVALUE,
        operation: "Get",
    };
    let told = said(&gate, &other);
    assert!(told.contains("it has `default`: use that name"), "{told}");
    let none = said(&gate, &from_actor(&world, "unbound", KEYVALUE, "Get"));
    assert!(none.contains("add one to the manifest"), "{none}");
}

#[test]
fn a_denial_of_a_callee_names_what_claims_must_list() {
    let mut world = World::new();
    let mut claims = (*world.actors[2].claims).clone();
    assert_eq!(claims.name.as_deref(), Some("unbound"));
    claims.calls = vec!["whole-in-manifest".to_owned(), "granted-in-manifest".to_owned()];
    world.actors[2].claims = std::sync::Arc::new(claims);
    let (gate, _) = world.gate(AllowAll);
    let told = |namespace| said(&gate, &from_actor(&world, "unbound", namespace, "Greet"));
    let with_alias = told("whole-in-manifest");
    assert!(with_alias.contains("list a name of the manifest; sign it with `--calls friend`"));
    let without = told("granted-in-manifest");
    assert!(without.contains(&format!("`--calls {}`", world.keys["granted"])), "{without}");
    let unlisted = told("unclaimed-in-manifest");
    assert!(unlisted.contains("do not list it under `calls`"), "{unlisted}");
    let alias = told("Friend");
    assert!(alias.contains("did you mean `friend`?"), "{alias}");
}

/// D1: whatever an actor names, the gate admits exactly what a plain reading of the rules admits.
#[test]
fn d1_a_million_guesses_match_the_reference_model() {
    let world = World::new();
    let (gate, _) = world.gate(AllowAll);
    let spellings = [
        KEYVALUE,
        HTTP,
        "wasmcloud:keyvalue",
        "wasmcloud:httpserver",
        "Wascc:keyvalue",
        "wascc:keyvalue ",
        "wascc:keyvalue\0",
        "wascc:key",
        "wascc:keyvalue2",
        "../wascc:keyvalue",
        "wаscc:keyvalue",
        "",
        "friend",
        "frien",
        "*",
        ">",
        "wascc:*",
    ];
    let bindings = ["", "default", "Default", "other", "default ", "../default"];
    let operations = ["Get", "Add", "HandleRequest", "get", "GET", "Get ", "", "*"];
    let entitled: BTreeSet<_> = reference().into_iter().collect();
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut pick = |count: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % count as u64).expect("small")
    };
    for _ in 0..1_000_000 {
        let actor = ACTORS[pick(ACTORS.len())];
        let namespace = spellings[pick(spellings.len())];
        let binding = bindings[pick(bindings.len())];
        let operation = operations[pick(operations.len())];
        let ask =
            AuthzRequest::FromActor { actor: world.ids[actor], binding, namespace, operation };
        let bound = binding.is_empty() || binding == "default";
        let to_friend = namespace == "friend"
            && ["whole", "by_key", "by_alias", "by_issuer", "by_caps"].contains(&actor);
        let expected = to_friend || bound && entitled.contains(&(actor, namespace, operation));
        let admitted = gate.admit(&ask).map(|permit| permit.redeem()).is_ok();
        assert_eq!(admitted, expected, "{actor} {namespace:?} {binding:?} {operation:?}");
    }
}

fn reference() -> Vec<(&'static str, &'static str, &'static str)> {
    let mut entitled = Vec::new();
    for namespace in [KEYVALUE, "wasmcloud:keyvalue"] {
        entitled.push(("granted", namespace, "Get"));
        for actor in ["whole", "aliased"] {
            entitled.extend([(actor, namespace, "Get"), (actor, namespace, "Add")]);
        }
    }
    entitled
}
