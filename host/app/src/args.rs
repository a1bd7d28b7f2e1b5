//! The command line of `host`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Runs the signed actors of a manifest.
///
/// Every setting is taken from the first of: flag, environment variable, manifest, built-in
/// default.
#[derive(Parser, Clone, Debug)]
#[command(name = "host", version, max_term_width = 100)]
pub struct HostArgs {
    /// The manifest to run (YAML, or JSON by its extension).
    #[arg(short, long, value_name = "FILE", env = "TRELLIS_MANIFEST")]
    pub manifest: PathBuf,

    /// Checks the manifest, its modules and its values without starting anything.
    #[arg(long)]
    pub check: bool,

    /// Serves /livez, /readyz and /metrics here; overrides `host: {admin: ...}`.
    #[arg(long, value_name = "ADDRESS", env = "TRELLIS_ADMIN")]
    pub admin: Option<SocketAddr>,

    /// Admits unsigned modules. For development only.
    #[arg(long, env = "TRELLIS_ALLOW_UNSIGNED")]
    pub allow_unsigned: bool,

    /// Where compiled modules are kept.
    #[arg(long, value_name = "DIR", env = "TRELLIS_CACHE_DIR")]
    pub cache_dir: Option<PathBuf>,

    /// Compiles every module anew and keeps nothing.
    #[arg(long, conflicts_with = "cache_dir")]
    pub no_cache: bool,

    /// The form of the log; the default is text on a terminal and JSON otherwise.
    #[arg(long, value_enum, value_name = "FORM", env = "TRELLIS_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,

    /// What is logged: a level, or directives such as `info,trellis_engine=debug`.
    #[arg(long, value_name = "FILTER", env = "TRELLIS_LOG", default_value = "info")]
    pub log: String,
}

/// The form of log lines.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
