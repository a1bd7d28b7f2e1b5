//! The command line of `host`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser as _};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, Args, ValueEnum};
use trellis_core::parse_switch;

/// Runs the signed actors of a manifest.
///
/// Every setting is taken from the first of: flag, environment variable, manifest, built-in
/// default.
#[derive(Args, Clone, Debug)]
pub struct HostArgs {
    /// The manifest to run (YAML, or JSON by its extension).
    #[arg(short, long, value_name = "FILE", env = "TRELLIS_MANIFEST")]
    pub manifest: PathBuf,

    /// Checks the manifest, its modules and its values without starting anything.
    #[arg(long)]
    pub check: bool,

    /// Prints the steps that would make the manifest run on a host where nothing runs.
    #[arg(long, conflicts_with = "check")]
    pub dry_run: bool,

    /// Serves /livez, /readyz and /metrics here; overrides `host: {admin: ...}`.
    #[arg(long, value_name = "ADDRESS", env = "TRELLIS_ADMIN")]
    pub admin: Option<SocketAddr>,

    /// Makes the admin socket here, or `off`; overrides `host: {socket: ...}`. Without either it
    /// is in the user's runtime folder, where `trellis get hosts` finds it.
    #[arg(long, value_name = "PATH", env = "TRELLIS_SOCKET")]
    #[arg(value_parser = PathBufValueParser::new().try_map(socket))]
    pub socket: Option<SocketPlace>,

    /// Admits unsigned modules. For development only.
    #[arg(long, env = "TRELLIS_ALLOW_UNSIGNED", value_name = "BOOL", value_parser = boolean)]
    #[arg(action = ArgAction::Set, num_args = 0..=1, require_equals = true)]
    #[arg(default_value = "false", default_missing_value = "true", hide_default_value = true)]
    pub allow_unsigned: bool,

    /// Waits for a manifest or module that is missing or wrong at the start instead of ending.
    #[arg(long, env = "TRELLIS_WAIT", value_name = "BOOL", value_parser = boolean)]
    #[arg(action = ArgAction::Set, num_args = 0..=1, require_equals = true)]
    #[arg(default_value = "false", default_missing_value = "true", hide_default_value = true)]
    pub wait: bool,

    /// Goes on where that may be wrong: an actor with another key than it had begins without its
    /// data, and a provider that is not well takes over from one that is.
    #[arg(long, env = "TRELLIS_FORCE", value_name = "BOOL", value_parser = boolean)]
    #[arg(action = ArgAction::Set, num_args = 0..=1, require_equals = true)]
    #[arg(default_value = "false", default_missing_value = "true", hide_default_value = true)]
    pub force: bool,

    /// Where compiled modules are kept.
    #[arg(long, value_name = "DIR", env = "TRELLIS_CACHE_DIR")]
    #[arg(value_parser = PathBufValueParser::new().try_map(cache_folder))]
    pub cache_dir: Option<PathBuf>,

    /// Compiles every module anew and keeps nothing, whatever else says where.
    #[arg(long)]
    pub no_cache: bool,

    /// The form of the log; the default is text on a terminal and JSON otherwise.
    #[arg(long, value_enum, ignore_case = true, value_name = "FORM", env = "TRELLIS_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,

    /// What is logged: a level, or directives such as `info,trellis_engine=debug`.
    #[arg(long, value_name = "FILTER", env = "TRELLIS_LOG", default_value = "info")]
    pub log: String,
}

/// Where the admin socket is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SocketPlace {
    /// In the user's runtime folder.
    User,
    /// Nowhere.
    Off,
    /// At this path.
    At(PathBuf),
}

/// The form of log lines.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Yes or no as people write it in an environment: any case, and empty for no.
///
/// # Errors
/// A sentence that lists the words, when `text` is none of them.
pub fn boolean(text: &str) -> Result<bool, String> {
    if let Some(switch) = parse_switch(text) {
        return Ok(switch);
    }
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "t" | "y" => Ok(true),
        "" | "0" | "f" | "n" => Ok(false),
        _ => Err("write true, yes, on or 1, or false, no, off or 0".to_owned()),
    }
}

/// A folder for compiled modules. A word that switches something is none: it would make a folder of
/// that name where the host runs.
///
/// # Errors
/// A sentence that says what to do instead.
pub fn cache_folder(folder: PathBuf) -> Result<PathBuf, String> {
    match folder.to_str().and_then(parse_switch) {
        None => Ok(folder),
        Some(false) => Err("this is where the cache is; `--no-cache`, or `host: {cache: off}` in \
                            the manifest, switches it off"
            .to_owned()),
        Some(true) => Err("name a folder; without one it is the user's cache folder".to_owned()),
    }
}

/// The path of an admin socket, or a word that switches it off.
fn socket(path: PathBuf) -> Result<SocketPlace, String> {
    match path.to_str().and_then(parse_switch) {
        None => Ok(SocketPlace::At(path)),
        Some(false) => Ok(SocketPlace::Off),
        Some(true) => Err("name a path; without one it is in the user's runtime folder".to_owned()),
    }
}

/// Takes the environment from every argument whose variable is set and empty: `VAR=` in a file of
/// settings means that nothing is set.
#[must_use]
pub fn without_empty_variables(command: clap::Command) -> clap::Command {
    command
        .mut_args(|argument| {
            let empty = argument.get_env().and_then(std::env::var_os).is_some_and(|v| v.is_empty());
            if empty { argument.env(None::<&'static str>) } else { argument }
        })
        .mut_subcommands(without_empty_variables)
}

/// The same error, with what to write instead where a manifest was named without its flag.
#[must_use]
pub fn with_cure(error: clap::Error, command: &mut clap::Command) -> clap::Error {
    let named = match error.kind() {
        ErrorKind::UnknownArgument => error.get(ContextKind::InvalidArg),
        // Behind an option, what is no command is in conflict with the option.
        ErrorKind::InvalidSubcommand | ErrorKind::ArgumentConflict => {
            error.get(ContextKind::InvalidSubcommand)
        }
        _ => None,
    };
    let Some(ContextValue::String(named)) = named else { return error };
    let extension = Path::new(named).extension().and_then(|extension| extension.to_str());
    if !extension.is_some_and(|extension| matches!(extension, "yaml" | "yml" | "json")) {
        return error;
    }
    let message = format!("a manifest is named by its flag: write `--manifest {named}`");
    clap::Error::raw(ErrorKind::UnknownArgument, message).format(command)
}

/// clap's message without its label, its colors and the usage lines: for a program.
#[must_use]
pub fn plain_message(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let text = text.trim_start_matches("error: ");
    text.split("\n\nUsage:").next().unwrap_or(text).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_no_folder_for_the_cache() {
        #[derive(clap::Parser)]
        struct CommandLine {
            #[command(flatten)]
            host: HostArgs,
        }
        let given = |cache: &str| {
            let line = ["host", "-m", "a.yaml", "--cache-dir", cache];
            let read = <CommandLine as clap::Parser>::try_parse_from(line);
            read.map(|line| line.host.cache_dir).map_err(|error| error.to_string())
        };
        assert_eq!(given("./off"), Ok(Some(PathBuf::from("./off"))));
        for (word, cure) in [("off", "--no-cache"), ("False", "--no-cache"), ("on", "a folder")] {
            let error = given(word).expect_err("a word");
            assert!(error.contains(cure), "{word}: {error}");
        }
    }

    #[test]
    fn a_socket_is_a_path_or_off() {
        let given = |path: &str| socket(PathBuf::from(path));
        assert_eq!(given("./off"), Ok(SocketPlace::At(PathBuf::from("./off"))));
        assert_eq!(given("Off"), Ok(SocketPlace::Off));
        assert!(given("on").is_err());
    }

    #[test]
    fn yes_and_no_in_the_words_of_environments() {
        for text in ["1", "true", "True", "YES", "on", "y", " t "] {
            assert_eq!(boolean(text), Ok(true), "{text}");
        }
        for text in ["", "0", "false", "No", "OFF", "n"] {
            assert_eq!(boolean(text), Ok(false), "{text}");
        }
        for text in ["2", "yeah", "enabled"] {
            assert!(boolean(text).is_err(), "{text}");
        }
    }
}
