//! A manifest that holds together.

use std::net::SocketAddr;
use std::time::Duration;

use trellis_limits::{ActorLimits, HostLimits, Limit};

use crate::source::{Span, Spanned};

/// Keys with their texts, in the order written, each key once.
pub type TextPairs = Vec<(Spanned<String>, Spanned<String>)>;

/// What should run, according to one manifest.
///
/// Actors have unique images and ids in it, providers have unique names, and no binding is there
/// twice. The caller still has to find out whether an actor or a provider of a name exists.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Manifest {
    /// The application's name.
    pub name: Option<Spanned<String>>,
    /// The host's labels.
    pub labels: TextPairs,
    /// Whose signatures are accepted.
    pub trust: TrustSpec,
    /// The actors.
    pub actors: Vec<Spanned<ActorSpec>>,
    /// The providers.
    pub providers: Vec<Spanned<ProviderSpec>>,
    /// The bindings.
    pub bindings: Vec<Spanned<BindingSpec>>,
    /// How registries are spoken to that are not spoken to as all others.
    pub registries: Vec<RegistrySpec>,
    /// The host's own settings.
    pub host: HostSpec,
}

/// Whose signatures are accepted.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct TrustSpec {
    /// Account keys; none means the account key `default` of the user who runs the host.
    pub issuers: Vec<Spanned<String>>,
    /// Account and actor keys that may not run.
    pub revoked: Vec<Spanned<String>>,
    /// True when unsigned modules run too.
    pub unsigned: bool,
}

/// One actor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ActorSpec {
    /// The signed module: a path from the manifest's folder, or an image in a registry.
    pub image: Spanned<String>,
    /// The name the manifest gives it.
    pub name: Option<Spanned<String>>,
    /// How long its instances live.
    pub isolation: Isolation,
    /// Its limits, including how many instances it may have.
    pub limits: ActorLimits,
    /// Those of its limits that the manifest gives.
    pub written_limits: Vec<WrittenLimit>,
    /// Its settings.
    pub values: TextPairs,
}

impl ActorSpec {
    /// What sets it apart from the other actors of a manifest: its name, or else its image.
    #[must_use]
    pub fn id(&self) -> &str {
        self.name.as_ref().map_or(&self.image, |name| name)
    }
}

/// A limit as a manifest gives it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WrittenLimit {
    /// Which one.
    pub limit: &'static Limit,
    /// How much of it, in its unit.
    pub value: u64,
    /// Where that stands.
    pub span: Span,
}

/// How long an instance lives.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Isolation {
    /// It serves many calls; a trap ends it.
    #[default]
    Reuse,
    /// It serves one call.
    Fresh,
}

/// One provider.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProviderSpec {
    /// Its unique name; the built-in provider's own unless the manifest gives one.
    pub name: Spanned<String>,
    /// What implements it.
    pub kind: ProviderKind,
    /// In the original forms: the only binding name it serves. `None` in ours.
    pub binding_name: Option<Spanned<String>>,
    /// Its configuration.
    pub values: TextPairs,
}

/// What implements a provider.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ProviderKind {
    /// A part of the host, by its name.
    Builtin(Spanned<String>),
    /// A program that the host starts.
    Process(Box<ProcessSpec>),
    /// A signed module.
    Module(Box<ProviderModuleSpec>),
}

/// A signed module that is a provider.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProviderModuleSpec {
    /// The signed module: a path from the manifest's folder, or an image in a registry.
    pub file: Spanned<String>,
    /// Its limits, including how many instances it has.
    pub limits: ActorLimits,
    /// Those of its limits that the manifest gives.
    pub written_limits: Vec<WrittenLimit>,
}

/// Where a provider's program is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ProgramSpec {
    /// On this machine: a path from the manifest's folder, or a name without `/` that is looked for
    /// in `PATH`.
    Command(Spanned<String>),
    /// In a signed archive: its path, from the manifest's folder.
    Archive(Spanned<String>),
}

impl ProviderKind {
    /// What the manifest says that it is: a name, a file or a command.
    #[must_use]
    pub const fn written(&self) -> &Spanned<String> {
        match self {
            Self::Builtin(name) => name,
            Self::Process(process) => process.program.written(),
            Self::Module(module) => &module.file,
        }
    }
}

impl ProgramSpec {
    /// What the manifest says.
    #[must_use]
    pub const fn written(&self) -> &Spanned<String> {
        match self {
            Self::Command(written) | Self::Archive(written) => written,
        }
    }
}

/// A program that is a provider.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProcessSpec {
    /// Where it is.
    pub program: ProgramSpec,
    /// Its arguments.
    pub args: Vec<String>,
    /// The folder it runs in, from the manifest's; that folder without it.
    pub folder: Option<Spanned<String>>,
    /// The variables of the host's environment that it is given.
    pub environment: Vec<Spanned<String>>,
    /// What it may use; the host's defaults without it.
    pub limits: ProcessLimitsSpec,
}

/// What a provider's process may use.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ProcessLimitsSpec {
    /// Most memory it may write to, in bytes.
    pub memory_bytes_max: Option<u64>,
    /// Most open files.
    pub open_files_max: Option<u32>,
    /// Most processes and threads of its user.
    pub processes_max: Option<u32>,
    /// Most back-offs in a row before it is quarantined.
    pub restart_backoffs_max: Option<u32>,
}

/// One actor's use of one capability.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BindingSpec {
    /// The actor: a name, a call alias or an M-key.
    pub actor: Spanned<String>,
    /// The contract id as written, aliases included.
    pub capability: Spanned<String>,
    /// The name the actor calls it by.
    pub name: Spanned<String>,
    /// The provider's name, if the manifest gives one; it is one of the manifest's providers.
    pub provider: Option<Spanned<String>>,
    /// Its configuration.
    pub values: TextPairs,
}

impl BindingSpec {
    /// What sets it apart from the other bindings of a manifest: actor, capability, name.
    #[must_use]
    pub fn id(&self) -> (&str, &str, &str) {
        (&self.actor, &self.capability, &self.name)
    }
}

/// How one registry is spoken to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegistrySpec {
    /// The registry, as images have it.
    pub name: Spanned<String>,
    /// True for plain HTTP.
    pub insecure: bool,
}

/// The host's own settings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostSpec {
    /// Address of `/livez`, `/readyz` and `/metrics`; none means that they are not served.
    pub admin: Option<Spanned<SocketAddr>>,
    /// Whose bearer tokens are taken there for everything else.
    pub admin_users: Vec<AdminUserSpec>,
    /// Where the admin socket is.
    pub socket: SocketSpec,
    /// Longest wait for running calls when the host stops.
    pub drain: Duration,
    /// Where compiled modules are kept.
    pub cache: CacheSpec,
    /// Bounds of all actors together.
    pub limits: HostLimits,
    /// True when every actor may call every actor, whatever their claims say.
    pub open_calls: bool,
    /// Where traces and metrics go.
    pub telemetry: Option<TelemetrySpec>,
}

/// Where traces and metrics go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TelemetrySpec {
    /// The receiver's address, which begins with `http://` or `https://`.
    pub endpoint: Spanned<String>,
    /// Headers of each request. Secret.
    pub headers: TextPairs,
    /// The name of the service.
    pub service: Option<Spanned<String>>,
    /// More about the host.
    pub attributes: TextPairs,
    /// The share of the traces that are recorded, in millionths.
    pub sampled_millionths: Option<u32>,
}

impl Default for HostSpec {
    fn default() -> Self {
        let drain = Duration::from_secs(30);
        Self {
            admin: None,
            admin_users: Vec::new(),
            socket: SocketSpec::default(),
            drain,
            cache: CacheSpec::default(),
            limits: HostLimits::default(),
            open_calls: false,
            telemetry: None,
        }
    }
}

/// A user of the admin API over the network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdminUserSpec {
    /// The user's key; each is there once.
    pub key: Spanned<String>,
    /// The most that its tokens may be good for.
    pub scope: AdminScope,
}

/// What a user of the admin API may do; each may do what the one before may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AdminScope {
    /// Look at the host.
    Read,
    /// Also call what it runs.
    Operate,
    /// Also change what it runs.
    Admin,
}

/// Where compiled modules are kept.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub enum CacheSpec {
    /// The user's cache folder.
    #[default]
    User,
    /// Nowhere: every start compiles.
    Off,
    /// This folder, from the manifest's.
    Dir(Spanned<String>),
}

/// Where the admin socket is.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub enum SocketSpec {
    /// In the user's runtime folder.
    #[default]
    User,
    /// Nowhere.
    Off,
    /// At this path, from the manifest's folder.
    At(Spanned<String>),
}
