//! What may be written in a manifest. The JSON schema is made from these declarations.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::admin::Admin;
use crate::form::{Count, Filled, Form, List, Name, Pairs, Part, Size, Stated, Text, choice};
use crate::keyed::{Keyed, Switch};
use crate::limits::Limits;
use crate::object::object;
use crate::report::Problems;
use crate::spec::{CacheSpec, Isolation, SocketSpec};
use crate::telemetry::Telemetry;
use crate::tree::{Node, Value};
use crate::variable::Variable;

object! {
    /// A Trellis manifest: which actors run, what provides their capabilities, and how they are
    /// bound.
    Root("a manifest") {
        /// The application's name, in logs and lists.
        name: Part<Option<Name>>,
        /// Free labels of the host that runs it.
        labels: Part<Pairs>,
        /// Whose signatures are accepted.
        trust: Part<Option<Filled<Trust>>>,
        /// The actors to run; `[]` for none.
        actors: Part<Stated<Actor, true>>,
        /// The providers to run.
        providers | "capabilities": Part<Stated<Provider, false>>,
        /// Which actor may use which capability, and with what configuration.
        bindings | "links": Part<Stated<Binding, false>>,
        /// How registries are spoken to, by their names as images have them.
        registries: Part<Keyed<Registry>>,
        /// How the host itself behaves.
        host: Part<Option<Host>>,
    }
}

object! {
    /// Whose signatures are accepted. Without it, the account key `default` of the user who runs
    /// the host.
    Trust("`trust`") {
        /// Account keys (`A...`) whose actors may run.
        issuers: Filled<List<Text>>,
        /// Account keys (`A...`), actor keys (`M...`) and provider keys (`V...`) that may not run,
        /// whoever signed them.
        revoked: Stated<Text, false>,
        /// `allow` runs unsigned modules too; for development only.
        unsigned: Option<Unsigned>,
    }
}

/// Whether unsigned modules run.
pub(crate) enum Unsigned {
    Allow,
    Refuse,
}

/// Whom an actor may call.
pub(crate) enum Calls {
    /// The actors its claims list.
    Listed,
    /// Every actor.
    Open,
}

choice!(Unsigned { Allow = "allow", Refuse = "refuse" });
choice!(Calls { Listed = "listed", Open = "open" });
choice!(Isolation { Reuse = "reuse", Fresh = "fresh" });

object! {
    /// An actor: a signed WebAssembly module.
    ActorKeys("an actor") {
        /// The signed module: a file, whose relative path starts at the manifest's folder, or an
        /// image in a registry, as `registry.example.com/team/counter:1.2`.
        image: Text,
        /// What bindings and other actors call it; the name in its claims without it.
        name: Option<Name>,
        /// How many instances serve it.
        instances: Option<Instances>,
        /// `reuse`: an instance serves many calls. `fresh`: every call gets a new one.
        isolation: Option<Isolation>,
        /// What it may use.
        limits: Limits,
        /// Its settings, which it reads by `trellis:config`.
        values: Pairs,
    }
}

object! {
    /// How many instances of a module there may be.
    Instances("`instances`") {
        /// Instances kept ready when idle; default 0, and 1 for a provider.
        min: Option<Count<0>>,
        /// Most instances at once; default 64, and 1 for a provider. Further calls wait.
        max: Option<Count<1>>,
    }
}

/// An actor, or only its image.
pub(crate) struct Actor(pub(crate) ActorKeys);

impl Form for Actor {
    fn schema() -> Json {
        json!({ "anyOf": [Text::schema(), ActorKeys::schema()] })
    }

    fn read(node: &Node, what: &str, problems: &mut Problems) -> Option<Self> {
        if let Value::Mapping(_) = node.value {
            return ActorKeys::read(node, what, problems).map(Self);
        }
        let image = match &node.value {
            Value::Scalar { .. } | Value::Unknown => Text::read(node, what, problems),
            _ => {
                crate::form::misfit(node, what, "an image or a mapping with `image`", problems);
                None
            }
        };
        Some(Self(ActorKeys {
            image: image?,
            name: None,
            instances: None,
            isolation: None,
            limits: Limits::default(),
            values: Pairs::default(),
        }))
    }
}

object! {
    /// A provider: what implements one or more capabilities.
    Provider("a provider") {
        /// A provider that is part of the host, such as `http-server`.
        builtin: Option<Name>,
        /// A provider that is a program of its own: its path, or a mapping with its `command`.
        process: Option<Process>,
        /// A provider that is a program in a signed archive: its path, its image in a registry, or
        /// a mapping with it as `file`.
        archive: Option<Archive>,
        /// A provider that is a signed WebAssembly module: its path, its image in a registry, or a
        /// mapping with it as `file`.
        module: Option<Module>,
        /// What the originals load: a library, an archive or a registry reference. The well-known
        /// ones mean the built-in provider of the same capability; another archive, or a module
        /// (`.wasm`), is one.
        path | "image_ref": Option<Text>,
        /// What bindings call it; without it the name of the built-in provider, or of the file of
        /// the program, the archive or the module, or of their image.
        name: Option<Name>,
        /// With `path` or `image_ref`: the name of the bindings it serves; default `default`.
        binding_name | "link_name": Option<Name>,
        /// Its configuration.
        values: Pairs,
    }
}

object! {
    /// A module that is a provider.
    ModuleKeys("`module`") {
        /// The signed module: a file, whose relative path starts at the manifest's folder, or an
        /// image in a registry.
        file: Text,
        /// How many instances serve it; one without it. Each knows nothing of the others, and is
        /// told of every binding.
        instances: Option<Instances>,
        /// What it may use.
        limits: Limits,
    }
}

/// A module, or only its file.
pub(crate) struct Module(pub(crate) ModuleKeys);

impl Module {
    /// The module in this file, as long as nothing else is said of it.
    pub(crate) fn plain(file: Text) -> Self {
        Self(ModuleKeys { file, instances: None, limits: Limits::default() })
    }
}

impl Form for Module {
    fn schema() -> Json {
        json!({ "anyOf": [Text::schema(), ModuleKeys::schema()] })
    }

    fn read(node: &Node, what: &str, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            Value::Mapping(_) => ModuleKeys::read(node, what, problems).map(Self),
            Value::Scalar { .. } | Value::Unknown => {
                Text::read(node, what, problems).map(Self::plain)
            }
            _ => {
                crate::form::misfit(node, what, "a file or a mapping with `file`", problems);
                None
            }
        }
    }
}

object! {
    /// A program that is a provider.
    ProcessKeys("`process`") {
        /// The program: a path from the manifest's folder, or a name that is looked for in `PATH`.
        command: Text,
        /// Its arguments.
        args: List<Text>,
        /// The folder it runs in; the manifest's without it.
        folder: Option<Text>,
        /// Names of variables of the host's environment that it is given, besides a few that all
        /// are given: `PATH`, `HOME`, `TMPDIR`, `TZ` and those of the language.
        environment: List<Variable>,
        /// What it may use.
        limits: Option<ProcessLimits>,
    }
}

object! {
    /// A signed archive with the program of a provider.
    ArchiveKeys("`archive`") {
        /// The archive: a path from the manifest's folder, or an image in a registry.
        file: Text,
        /// The arguments of its program.
        args: List<Text>,
        /// The folder it runs in; the manifest's without it.
        folder: Option<Text>,
        /// Names of variables of the host's environment that it is given, as for `process`.
        environment: List<Variable>,
        /// What it may use.
        limits: Option<ProcessLimits>,
    }
}

object! {
    /// What a provider's process may use.
    ProcessLimits("`limits`") {
        /// Most memory that it may write to; default 1GiB.
        memory: Option<Size>,
        /// Most open files, sockets included; default 4096.
        open_files: Option<Count<16>>,
        /// Most processes and threads of the user that runs the host; default 16384. It does not
        /// bind root.
        processes: Option<Count<1>>,
        /// Most back-offs in a row, when it ends again and again, before it is quarantined and only
        /// tried once a minute; default 6.
        restart_backoffs: Option<Count<0>>,
    }
}

/// A program with its surroundings, or only the program.
pub(crate) struct Process(pub(crate) ProcessKeys);

impl Form for Process {
    fn schema() -> Json {
        json!({ "anyOf": [Text::schema(), ProcessKeys::schema()] })
    }

    fn read(node: &Node, what: &str, problems: &mut Problems) -> Option<Self> {
        let command = match &node.value {
            Value::Mapping(_) => return ProcessKeys::read(node, what, problems).map(Self),
            Value::Scalar { .. } | Value::Unknown => Text::read(node, what, problems),
            _ => {
                crate::form::misfit(node, what, "a program or a mapping with `command`", problems);
                None
            }
        };
        Some(Self(ProcessKeys {
            command: command?,
            args: List { items: Vec::new(), whole: true },
            folder: None,
            environment: List { items: Vec::new(), whole: true },
            limits: None,
        }))
    }
}

/// An archive with the surroundings of its program, or only the archive.
pub(crate) struct Archive(pub(crate) ArchiveKeys);

impl Archive {
    /// The program of an archive without anything around it.
    pub(crate) const fn of_file(file: Text) -> Self {
        Self(ArchiveKeys {
            file,
            args: List { items: Vec::new(), whole: true },
            folder: None,
            environment: List { items: Vec::new(), whole: true },
            limits: None,
        })
    }
}

impl Form for Archive {
    fn schema() -> Json {
        json!({ "anyOf": [Text::schema(), ArchiveKeys::schema()] })
    }

    fn read(node: &Node, what: &str, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            Value::Mapping(_) => ArchiveKeys::read(node, what, problems).map(Self),
            Value::Scalar { .. } | Value::Unknown => {
                Text::read(node, what, problems).map(Self::of_file)
            }
            _ => {
                crate::form::misfit(node, what, "an archive or a mapping with `file`", problems);
                None
            }
        }
    }
}

object! {
    /// A binding: one actor's use of one capability.
    Binding("a binding") {
        /// The actor: its name, call alias or key (`M...`).
        actor: Name,
        /// The contract id, such as `wascc:keyvalue`.
        capability | "contract_id": Name,
        /// The name the actor calls the binding by; default `default`.
        name | "binding" | "link_name": Option<Name>,
        /// The provider's name; needed when several serve the capability.
        provider | "provider_id": Option<Name>,
        /// The binding's configuration; wins over the provider's.
        values: Pairs,
    }
}

object! {
    /// How one registry is spoken to.
    Registry("a registry") {
        /// `true` speaks plain HTTP with it: others in the network can read and change all of it.
        insecure: Option<Switch>,
    }
}

object! {
    /// How the host itself behaves.
    Host("`host`") {
        /// Address of `/livez`, `/readyz` and `/metrics`, or a mapping with it and with the users
        /// of `/v1` there; without it they are not served.
        admin: Option<Admin>,
        /// Path of the admin socket, or `off`; one in the user's runtime folder without it.
        socket: Option<SocketSpec>,
        /// Longest wait for running calls when the host stops; default 30s.
        drain: Option<Duration>,
        /// Folder of compiled modules, or `off`; the user's cache folder without it.
        cache: Option<CacheSpec>,
        /// Most instances of all actors together; default 1000.
        instances_total: Option<Count<1>>,
        /// Most modules whose code stays in memory; default 1000.
        modules_resident: Option<Count<1>>,
        /// Most host calls waiting at once; default 1000.
        host_calls_in_flight: Option<Count<1>>,
        /// `open`: every actor may call every actor, as in wasmCloud 0.18; default `listed`.
        calls: Option<Calls>,
        /// Where traces and metrics go, as OTLP; nowhere without it.
        telemetry: Option<Telemetry>,
    }
}
