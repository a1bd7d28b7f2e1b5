//! The types of the admin API as schemas.

use serde_json::{Value, json};

use super::schema::{
    Field, by_name, code, count, list, named, object, one_of, or_null, text, whole, with_optional,
    yes_or_no,
};
use super::{changes, kept, watching};
use crate::condition::Condition;
use crate::entry::{Isolation, ProviderKind};
use crate::lifecycle::{ComponentKind, LifecycleState};
use crate::phase::Phase;

/// All of them by their names.
pub(super) fn all() -> Value {
    let mut all = json!({
        "Host": host(),
        "Status": status(),
        "Changing": changing(),
        "Component": component(),
        "Degraded": degraded(),
        "Actor": actor(),
        "Instances": instances(),
        "Provider": provider(),
        "Signed": signed(),
        "Process": process(),
        "Binding": binding(),
        "BindingRef": binding_ref(),
        "Error": error(),
    });
    let more = changes::all().into_iter().chain(watching::all()).chain(kept::all());
    for (name, schema) in more {
        all[name] = schema;
    }
    all
}

fn condition() -> Value {
    use Condition as C;
    let all = [C::Starting, C::Ready, C::Degraded, C::Down, C::Stopped];
    one_of(&all.map(C::as_str))
}

fn phase() -> Value {
    let all = [Phase::Starting, Phase::Waiting, Phase::Ready, Phase::Unserved, Phase::Stopping];
    one_of(&all.map(Phase::as_str))
}

fn reasons() -> Value {
    list(named("Degraded"))
}

fn waits() -> Field {
    ("waits_for", list(text()), "What it waits for while it starts, such as `provider store`.")
}

fn host() -> Value {
    object(
        "A host.",
        vec![
            ("name", text(), "The manifest's `name`, else the name of its file."),
            (
                "key",
                text(),
                "The host's key (`N…`): the same after each start, as long as its file is kept.",
            ),
            ("version", text(), "The version of the program."),
            ("pid", count(), "Its process id."),
            ("phase", phase(), "Where it is in its life."),
            ("started_unix_s", count(), "When it was started, in seconds since 1970."),
            ("manifest", text(), "The path of its manifest."),
            ("labels", by_name(text()), "The labels that the manifest gives it."),
            ("socket", or_null(text()), "The path of its admin socket."),
            ("admin", or_null(text()), "Its admin address."),
        ],
    )
}

fn status() -> Value {
    with_optional(
        "Whether a host should get traffic, and what does not work.",
        vec![
            ("ready", yes_or_no(), "True when traffic should come, whatever else does not work."),
            ("phase", phase(), "Where the host is in its life."),
            (
                "changing",
                or_null(named("Changing")),
                "The change that is under way, once it takes long.",
            ),
            ("degraded", reasons(), "What is wanted and not so, or so and not well."),
            (
                "components",
                list(named("Component")),
                "The actors and providers that are not ready.",
            ),
        ],
        vec![(
            "notes",
            list(text()),
            "What is worth to know and no failure, such as edits that a restart forgets.",
        )],
    )
}

fn changing() -> Value {
    object(
        "A change that is under way for a long time, and what it waits for.",
        vec![
            ("since_unix_s", count(), "Since when, in seconds since 1970."),
            (
                "actors",
                list(text()),
                "The actors whose modules are still being read, compiled or started.",
            ),
            ("providers", list(text()), "The providers that have not answered yet."),
        ],
    )
}

fn component() -> Value {
    let kinds = [ComponentKind::Actor, ComponentKind::Provider].map(ComponentKind::as_str);
    with_optional(
        "An actor or a provider, and where it is in its life.",
        vec![
            ("kind", one_of(&kinds), "What it is."),
            ("name", text(), "Its name in the manifest."),
            (
                "state",
                one_of(&LifecycleState::ALL.map(LifecycleState::as_str)),
                "The state it is in.",
            ),
            ("since_unix_s", count(), "Since when, in seconds since 1970."),
        ],
        vec![
            ("code", code(), "The stable code of the reason."),
            ("why", text(), "The reason, as a sentence."),
            ("retry_unix_s", or_null(count()), "When it is started again, in seconds since 1970."),
        ],
    )
}

fn degraded() -> Value {
    object(
        "One thing that is not as it should be.",
        vec![
            ("what", text(), "What, such as `actor counter`."),
            ("code", code(), "The stable code of the reason."),
            ("why", text(), "Why, as a sentence."),
            ("since_unix_s", count(), "Since when, in seconds since 1970."),
            (
                "retry_unix_s",
                or_null(count()),
                "When it is tried again, in seconds since 1970; null when only another manifest, or the thing itself, can change it.",
            ),
        ],
    )
}

fn actor() -> Value {
    let isolation = [Isolation::Reuse, Isolation::Fresh].map(Isolation::as_str);
    with_optional(
        "An actor that runs or is wanted.",
        vec![
            ("name", text(), "Its name in the manifest."),
            ("state", condition(), "How it is."),
            ("reasons", reasons(), "Why it is no better than that."),
            ("key", text(), "Its key (`M…`)."),
            (
                "issuer",
                or_null(text()),
                "The account that signed it (`A…`); null of an unsigned module.",
            ),
            ("revision", or_null(whole()), "The number that grows with each release."),
            ("version", or_null(text()), "The version for people."),
            ("digest", text(), "SHA-256 of the module's file, as hex digits."),
            ("call_alias", or_null(text()), "The name other actors may call it by."),
            ("capabilities", list(text()), "The contracts it may use, as they were signed."),
            ("expires_unix_s", or_null(count()), "When its claims end, in seconds since 1970."),
            ("isolation", one_of(&isolation), "How long its instances live."),
            (
                "limits",
                by_name(count()),
                "Its limits by their names, in their units, after the host's caps.",
            ),
            (
                "instances",
                or_null(named("Instances")),
                "Its instances now; null when it does not run.",
            ),
            ("addresses", list(text()), "Where it takes work from outside."),
            ("bindings", list(named("BindingRef")), "Its bindings."),
        ],
        vec![waits(), changes::of_entry()],
    )
}

fn instances() -> Value {
    object(
        "An actor's instances at one moment.",
        vec![
            ("alive", count(), "Those alive, idle ones included."),
            ("idle", count(), "Those that wait for a call."),
            ("waiting", count(), "Calls that wait for an instance."),
        ],
    )
}

fn provider() -> Value {
    let kinds = [ProviderKind::Builtin, ProviderKind::Process, ProviderKind::Module];
    with_optional(
        "A provider that runs or is wanted.",
        vec![
            ("name", text(), "Its name in the manifest."),
            ("state", condition(), "How it is."),
            ("reasons", reasons(), "Why it is no better than that."),
            ("kind", one_of(&kinds.map(ProviderKind::as_str)), "What runs it."),
            ("implementation", text(), "What it is, such as `keyvalue-redis`."),
            ("version", text(), "The version of that."),
            (
                "signed",
                or_null(named("Signed")),
                "What its signature says; null of a part of the host, and of a program without an archive.",
            ),
            ("contracts", list(text()), "The contracts it serves."),
            ("values", by_name(text()), "Its values; what may be a secret is `***`."),
            ("process", or_null(named("Process")), "Its process; null of what has none."),
        ],
        vec![waits(), changes::of_entry()],
    )
}

fn signed() -> Value {
    object(
        "What is known of a provider that is a signed module or came as a signed archive.",
        vec![
            ("key", text(), "Its key (`M…` of a module, `V…` of an archive)."),
            (
                "issuer",
                or_null(text()),
                "The account that signed it (`A…`); null of an unsigned module.",
            ),
            ("revision", or_null(whole()), "The number that grows with each release."),
            (
                "digest",
                or_null(text()),
                "SHA-256 of the module's file, or of the program, as hex digits.",
            ),
            ("expires_unix_s", or_null(count()), "When its claims end, in seconds since 1970."),
        ],
    )
}

fn process() -> Value {
    object(
        "The process of a provider.",
        vec![
            ("pid", or_null(count()), "Its process id; null while it is being started again."),
            ("restarts", count(), "How often it was started again."),
        ],
    )
}

fn binding() -> Value {
    with_optional(
        "A binding that is in force or is wanted.",
        vec![
            ("actor", text(), "The actor's name in the manifest."),
            ("contract", text(), "The contract's id."),
            ("name", text(), "The binding's name; `default` unless the manifest says otherwise."),
            ("provider", text(), "The provider it leads to, by its name in the manifest."),
            ("state", condition(), "How it is."),
            ("reasons", reasons(), "Why it is no better than that."),
            ("values", by_name(text()), "Its own values; what may be a secret is `***`."),
        ],
        vec![waits()],
    )
}

fn binding_ref() -> Value {
    object(
        "Which binding.",
        vec![
            ("actor", text(), "The actor's name in the manifest."),
            ("contract", text(), "The contract's id."),
            ("name", text(), "The binding's name."),
        ],
    )
}

fn error() -> Value {
    object(
        "Why a request failed.",
        vec![
            ("code", code(), "The stable code."),
            ("message", text(), "A sentence that names what is wrong."),
            ("cause", text(), "Why a user meets it."),
            ("cure", text(), "What to do about it."),
            (
                "retry_is_safe",
                yes_or_no(),
                "True when nothing was done, so that the same may be asked again.",
            ),
        ],
    )
}
