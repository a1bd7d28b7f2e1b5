//! What actors may no longer do, by their claims, that they could when they last ran.
//!
//! Claims may become narrower on purpose, so nothing is refused for it. But when nobody meant it,
//! calls that worked are refused from one version to the next, and no binding is missing.

use trellis_claims::ActorClaims;
use trellis_control::Loss;
use trellis_core::{Code, Contract};
use trellis_manifest::{Manifest, Problem};

use super::context::PrepareContext;
use super::known::LastRuns;
use super::parts::PreparedActor;
use super::rights::{Rights, callees, granted};
use super::warning::Warning;

/// Notes for each actor what it lost since it last ran, and gives what there is to say of it.
pub(super) fn note(
    manifest: &Manifest,
    actors: &mut [Option<PreparedActor>],
    context: &PrepareContext<'_>,
) -> Vec<Warning> {
    let descriptors = context.builtins.iter().map(|factory| factory.descriptor());
    let contracts: Vec<_> = descriptors.flat_map(|it| it.contracts.into_owned()).collect();
    let all_may_call = manifest.host.open_calls;
    let found: Vec<_> = (actors.iter())
        .map(|actor| of(actor.as_ref(), actors, &context.last_runs, (&contracts, all_may_call)))
        .collect();
    let mut warnings = Vec::new();
    for (spec, (actor, losses)) in manifest.actors.iter().zip(actors.iter_mut().zip(found)) {
        let Some(actor) = actor else { continue };
        let told = losses.iter().map(|loss| {
            let problem = Problem::new(spec.value.image.span, sentence(actor, loss));
            Warning::of_change(problem.code(Code::Denied).help(cure(loss)))
        });
        warnings.extend(told);
        actor.loses = losses;
    }
    warnings
}

fn of(
    actor: Option<&PreparedActor>,
    actors: &[Option<PreparedActor>],
    before: &LastRuns,
    (contracts, all_may_call): (&[Contract], bool),
) -> Vec<Loss> {
    // What an unsigned module may do is decided by the host, not by who made it.
    let Some(actor) = actor.filter(|actor| !actor.verified.is_unsigned()) else {
        return Vec::new();
    };
    let Some(last) = before.get(&*actor.name) else { return Vec::new() };
    let mut losses = Vec::new();
    if !all_may_call {
        losses.extend(calls(&last.rights, actor, actors));
    }
    losses.extend(uses(&last.rights, actor.verified.claims(), contracts));
    losses
}

/// Callees that are here and that it may call no more, whatever it calls them.
fn calls<'a>(
    before: &'a Rights,
    actor: &'a PreparedActor,
    actors: &'a [Option<PreparedActor>],
) -> impl Iterator<Item = Loss> + 'a {
    let now = callees(actor.verified.claims());
    let before = before.calls.iter().map(String::as_str);
    let gone = before.filter(move |callee| !now.contains(callee));
    let lost = gone.filter(|callee| {
        let others = actors.iter().flatten().filter(|other| other.name != actor.name);
        let mut meant = others.filter(|other| answers_to(other.verified.claims(), callee));
        meant.any(|other| !may_call(actor.verified.claims(), other.verified.claims()))
    });
    lost.map(|callee| Loss::Call(callee.to_owned()))
}

fn may_call(caller: &ActorClaims, callee: &ActorClaims) -> bool {
    callees(caller).into_iter().any(|listed| answers_to(callee, listed))
}

fn answers_to(claims: &ActorClaims, callee: &str) -> bool {
    claims.subject.as_str() == callee
        || claims.issuer.as_str() == callee
        || claims.call_alias.as_deref() == Some(callee)
}

fn uses<'a>(
    before: &'a Rights,
    claims: &'a ActorClaims,
    contracts: &'a [Contract],
) -> impl Iterator<Item = Loss> + 'a {
    before.uses.iter().filter_map(|(id, granted_before)| {
        // Without a provider in this host nothing is known of it but its name.
        let known = contracts.iter().find(|contract| contract.id.as_str() == id);
        let is_meant = |cap: &str| known.map_or(cap == id, |contract| contract.answers_to(cap));
        if !claims.caps.iter().any(|cap| is_meant(cap)) {
            return Some(Loss::Capability(id.clone()));
        }
        let contract = known?;
        let now = granted(claims, contract)?;
        let could = |name: &str| granted_before.as_ref().is_none_or(|it| it.contains(name));
        let names = contract.operations.iter().map(|operation| &*operation.name);
        let lost = names.filter(|name| could(name) && !now.contains(*name));
        let operations: Vec<_> = lost.map(str::to_owned).collect();
        (!operations.is_empty()).then(|| Loss::Operations { contract: id.clone(), operations })
    })
}

fn sentence(actor: &PreparedActor, loss: &Loss) -> String {
    let version = actor.verified.claims().version.as_deref();
    let version = version.map_or_else(String::new, |version| format!(" {version}"));
    format!(
        "actor `{}`{version} may no longer {loss}: the version that ran before could, and calls \
         that need it are refused now",
        actor.name
    )
}

fn cure(loss: &Loss) -> String {
    let option = match loss {
        Loss::Call(callee) => format!("`--calls {callee}`"),
        Loss::Capability(contract) => format!("`--cap {contract}`"),
        Loss::Operations { contract, operations } => {
            format!("`--grant {contract}={}` as well", operations.join(","))
        }
    };
    format!("sign it with {option}, unless its code needs it no more")
}
