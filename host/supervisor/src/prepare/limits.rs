//! Limits that can be and were probably not meant.

use std::collections::HashSet;

use trellis_core::Direction;
use trellis_manifest::{Manifest, Problem, ProviderKind, WrittenLimit};

use super::parts::{PreparedActor, PreparedBinding};
use super::warning::Warning;

/// What such a limit is for as long as the manifest runs.
const UNMEANT: Option<&str> = Some("a limit is other than it looks");

/// Says which limits the host lowers, and which leave an actor nothing of what it is bound to.
pub(super) fn warnings(
    manifest: &Manifest,
    (actors, bindings): (&[Option<PreparedActor>], &[PreparedBinding]),
) -> Vec<Warning> {
    let calls = |binding: &&PreparedBinding| {
        let mut operations = binding.contract.operations.iter();
        operations.any(|operation| operation.direction == Direction::ToProvider)
    };
    let users: HashSet<&str> = bindings.iter().filter(calls).map(|it| &*it.actor).collect();
    let mut problems = Vec::new();
    for (spec, actor) in manifest.actors.iter().zip(actors) {
        let name = actor.as_ref().map_or_else(|| spec.value.id(), |actor| &*actor.name);
        for written in &spec.value.written_limits {
            problems.extend(above(("actor", name), written));
            problems.extend(nothing(("actor", name), written).filter(|_| users.contains(name)));
        }
    }
    for spec in manifest.providers.iter().map(|spec| &spec.value) {
        let ProviderKind::Module(module) = &spec.kind else { continue };
        let name = spec.name.value.as_str();
        for written in &module.written_limits {
            problems.extend(above(("provider", name), written));
            let useless = nothing(("provider", name), written);
            problems.extend(useless.filter(|_| users.contains(name)));
            problems.extend(only_of_actors(name, written));
        }
    }
    problems.into_iter().map(|problem| Warning { problem, lasting: UNMEANT }).collect()
}

fn above((what, name): (&str, &str), written: &WrittenLimit) -> Option<Problem> {
    let WrittenLimit { limit, value, span } = written;
    let (wanted, most) = (limit.written(*value), limit.written(limit.most));
    let sentence = format!(
        "{what} `{name}` is given {most} for `{}`, not {wanted}: a host gives no more",
        limit.key
    );
    let problem = Problem::new(*span, sentence).help(format!("write `{most}` or less"));
    (*value > limit.most).then_some(problem)
}

fn only_of_actors(name: &str, written: &WrittenLimit) -> Option<Problem> {
    let WrittenLimit { limit, span, .. } = written;
    let key = limit.key;
    let sentence = format!("`{key}` of provider `{name}` has no effect: calls of actors are kept");
    let problem = Problem::new(*span, sentence).help("leave it out");
    matches!(key, "replay_calls" | "replay_bytes").then_some(problem)
}

fn nothing((what, name): (&str, &str), written: &WrittenLimit) -> Option<Problem> {
    let WrittenLimit { limit, value, span } = written;
    let sentence = format!(
        "{what} `{name}` may make no host calls, so each use of what it is bound to is refused"
    );
    let problem = Problem::new(*span, sentence).help("raise `host_calls_per_call`");
    (limit.key == "host_calls_per_call" && *value == 0).then_some(problem)
}
