//! Whom the claims of actors let them call, held against who is there.

use std::collections::{BTreeMap, HashSet};

use trellis_claims::{PublicKey, normalize_alias};
use trellis_core::{Code, nearest};
use trellis_entitlements::looks_like_a_contract;
use trellis_manifest::{Manifest, Problem, Span};

use super::parts::PreparedActor;
use super::warning::Warning;

/// What a call alias that leads nowhere, or to somebody else, is for as long as it is there.
const ALIAS: Option<&str> = Some("a call alias is of no use");

/// Says of each actor whom it could call by its claims, if only somebody answered to the name; and
/// which call aliases lead elsewhere.
pub(super) fn warnings(manifest: &Manifest, actors: &[Option<PreparedActor>]) -> Vec<Warning> {
    let cast = Cast::of(actors);
    let mut warnings = Vec::new();
    for (spec, actor) in manifest.actors.iter().zip(actors) {
        let Some(actor) = actor else { continue };
        let span = spec.value.image.span;
        // Nobody needs to be listed where everybody may call everybody.
        if !manifest.host.open_calls {
            let claims = actor.verified.claims();
            // waSCC's rule: the keys of callees among the capabilities.
            let keys = claims.caps.iter().filter(|cap| PublicKey::parse(cap).is_ok());
            let keys = keys.map(|key| ("--cap", key));
            let listed = claims.calls.iter().map(|callee| ("--calls", callee)).chain(keys);
            let absent = listed.filter_map(|callee| cast.absent(actor, callee, span));
            warnings.extend(absent.map(Warning::of_useless_claim));
        }
        let lost = cast.lost_alias(actor, span);
        warnings.extend(lost.map(|problem| Warning { problem, lasting: ALIAS }));
        warnings.extend(cast.shared_alias(actor, span).map(Warning::of_change));
    }
    warnings
}

/// The actors of a manifest by everything they may be called.
struct Cast<'a> {
    /// Their own keys, and the keys that signed them.
    keys: HashSet<&'a str>,
    /// Each with the first that has it.
    aliases: BTreeMap<&'a str, &'a PreparedActor>,
    names: BTreeMap<&'a str, &'a PreparedActor>,
    /// Names as aliases are compared.
    normal_names: BTreeMap<String, &'a PreparedActor>,
}

impl<'a> Cast<'a> {
    fn of(actors: &'a [Option<PreparedActor>]) -> Self {
        let (keys, aliases) = (HashSet::new(), BTreeMap::new());
        let (names, normal_names) = (BTreeMap::new(), BTreeMap::new());
        let mut cast = Self { keys, aliases, names, normal_names };
        for actor in actors.iter().flatten() {
            let claims = actor.verified.claims();
            cast.keys.extend([claims.subject.as_str(), claims.issuer.as_str()]);
            if let Some(alias) = claims.call_alias.as_deref() {
                cast.aliases.entry(alias).or_insert(actor);
            }
            cast.names.insert(&actor.name, actor);
            let normal = normalize_alias(&actor.name);
            cast.normal_names.extend(normal.map(|name| (name, actor)));
        }
        cast
    }

    /// What there is to say of a callee that nobody is.
    fn absent(
        &self,
        actor: &PreparedActor,
        (option, callee): (&str, &String),
        span: Span,
    ) -> Option<Problem> {
        let callee = callee.as_str();
        if self.keys.contains(callee) || self.aliases.contains_key(callee) {
            return None;
        }
        let name = &*actor.name;
        let told = |why: &str, code: Code| {
            let message = format!("actor `{name}` is signed with `{option} {callee}`, but {why}");
            Problem::new(span, message).code(code)
        };
        if let Some(meant) = self.normal_names.get(callee) {
            let claims = meant.verified.claims();
            let help = match claims.call_alias.as_deref() {
                Some(alias) => format!(
                    "sign `{name}` with `--calls {alias}`, which is the call alias of `{}`",
                    meant.name
                ),
                None => format!(
                    "sign `{}` with `--call-alias {callee}`, or `{name}` with `--calls {}`",
                    meant.name, claims.subject
                ),
            };
            let why = format!(
                "`{callee}` is only the `name` of an actor in this manifest; `--calls` takes a call \
                 alias or a key"
            );
            return Some(told(&why, Code::Denied).help(help));
        }
        if PublicKey::parse(callee).is_ok() {
            let why = "no actor of this manifest has that key or was signed with it";
            let help = "`trellis inspect FILE` shows an actor's keys";
            return Some(told(why, Code::NotFound).help(help));
        }
        let known = self.aliases.keys().copied();
        let known = known.chain(self.normal_names.keys().map(String::as_str));
        let near = nearest(callee, known).map(|near| format!("did you mean `{near}`? "));
        let help = format!(
            "{}add an actor that is signed with `--call-alias {callee}`, or sign `{name}` again \
             without `{option} {callee}`",
            near.unwrap_or_default()
        );
        let why = "no actor of this manifest has that call alias";
        Some(told(why, Code::NotFound).help(help))
    }

    /// What there is to say of a call alias by which nobody reaches its actor.
    fn lost_alias(&self, actor: &PreparedActor, span: Span) -> Option<Problem> {
        let alias = actor.verified.claims().call_alias.as_deref()?;
        let name = &*actor.name;
        let told = |message: String| Some(Problem::new(span, message));
        if looks_like_a_contract(alias) {
            let message = format!(
                "nobody can call actor `{name}` by its call alias `{alias}`: a name with a colon \
                 is taken as a contract"
            );
            return told(message).map(|it| it.help("sign it with another `--call-alias`"));
        }
        if let Some(named) = self.names.get(alias).filter(|named| named.name != actor.name) {
            let message = format!(
                "the call alias of actor `{name}` is the name of another actor, `{alias}`: whoever \
                 calls `{alias}` reaches that one, because a name wins over a call alias"
            );
            let help = format!("give `{}` another `name`, or `{name}` another alias", named.name);
            return told(message).map(|it| it.help(help));
        }
        None
    }

    /// What there is to say of a call alias that an actor before has too. Whom calls by it reach is
    /// told by the host while it runs.
    fn shared_alias(&self, actor: &PreparedActor, span: Span) -> Option<Problem> {
        let alias = actor.verified.claims().call_alias.as_deref()?;
        if looks_like_a_contract(alias) || self.names.contains_key(alias) {
            return None;
        }
        let first = self.aliases.get(alias).filter(|first| first.name != actor.name)?;
        let (first, name) = (&first.name, &actor.name);
        let message = format!(
            "actors `{first}` and `{name}` have the same call alias, `{alias}`: whoever calls \
             `{alias}` reaches the one that started first. When the host starts, that is \
             `{first}`, which comes first in the manifest"
        );
        let problem = Problem::new(span, message);
        Some(problem.help("sign one of them with another `--call-alias`"))
    }
}
