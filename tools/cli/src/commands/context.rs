//! `trellis context`: names for hosts, and which one is meant when nothing is said.

use std::fmt;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use trellis_app::AdminClient;

use super::complete;
use crate::contexts::{Context, Contexts, is_name};
use crate::failure::Failure;
use crate::output::Output;
use crate::table::Table;

#[derive(Subcommand, Debug)]
#[command(after_help = "\
Contexts are in $XDG_CONFIG_HOME/trellis/contexts.json, else ~/.config/trellis/contexts.json. What
is meant is the first of: `--host` or TRELLIS_HOST, `--context` or TRELLIS_CONTEXT, the context in
use, the only host of yours that runs.
Exit codes: 0 done, 2 the command line or the file is wrong, 3 there is no such context, 4 others
may change the file.")]
pub(crate) enum ContextCommand {
    /// Lists the contexts.
    List,
    /// Has a context used when nothing else is said.
    Use(UseArgs),
    /// Shows a context, or the one in use.
    Show(ShowArgs),
    /// Makes a context.
    Create(CreateArgs),
    /// Deletes a context.
    Delete(DeleteArgs),
}

#[derive(Args, Debug)]
pub(crate) struct UseArgs {
    /// Which.
    #[arg(required_unless_present = "none", add = complete::contexts())]
    name: Option<String>,

    /// None from now on.
    #[arg(long, conflicts_with = "name")]
    none: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    /// Which; without it the one in use.
    #[arg(add = complete::contexts())]
    name: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct CreateArgs {
    /// What it is called: letters, digits, `-`, `_` and `.`.
    name: String,

    /// The host: its name, its name and process id, the path of its admin socket, or the URL of its
    /// admin address.
    #[arg(long, value_name = "HOST")]
    host: String,

    /// The file with a token, for a host that is named by its URL. The file is read when the host
    /// is asked.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// Replaces another of that name.
    #[arg(long)]
    force: bool,
}

#[derive(Args, Debug)]
pub(crate) struct DeleteArgs {
    /// Which.
    #[arg(add = complete::contexts())]
    name: String,
}

/// A context as it is shown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    name: String,
    in_use: bool,
    #[serde(flatten)]
    context: Context,
    /// What a command did; not told of what is only shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    did: Option<&'static str>,
}

#[derive(Serialize)]
struct Listed {
    contexts: Vec<Shown>,
}

impl ContextCommand {
    pub(crate) fn run(self, output: Output) -> Result<(), Failure> {
        let contexts = Contexts::load()?;
        match self {
            Self::List => list(&contexts, output),
            Self::Use(args) => switch(contexts, args.name, output),
            Self::Show(args) => show(&contexts, args.name, output),
            Self::Create(args) => create(contexts, args, output),
            Self::Delete(args) => delete(contexts, &args.name, output),
        }
    }
}

fn list(contexts: &Contexts, output: Output) -> Result<(), Failure> {
    let mut table = Table::new(&["NAME", "IN USE", "HOST"], &["TOKEN FILE"]);
    let mut listed = Listed { contexts: Vec::new() };
    for (name, context) in &contexts.contexts {
        let in_use = contexts.current.as_ref() == Some(name);
        let file = context.token_file.as_ref().map(|file| file.display().to_string());
        table.row([
            name.clone(),
            if in_use { "yes" } else { "" }.to_owned(),
            context.host.clone(),
            file.unwrap_or_default(),
        ]);
        let (name, context) = (name.clone(), context.clone());
        listed.contexts.push(Shown { name, in_use, context, did: None });
    }
    output.list(&listed, &table)
}

fn show(contexts: &Contexts, name: Option<String>, output: Output) -> Result<(), Failure> {
    let name = name.or_else(|| contexts.current.clone()).ok_or_else(|| {
        Failure::new(trellis_core::Code::NotFound, "no context is in use")
            .cure("`trellis context use NAME` has one used.")
    })?;
    let context = contexts.get(&name)?.clone();
    let in_use = contexts.current.as_ref() == Some(&name);
    output.show(&Shown { name, in_use, context, did: None })
}

fn switch(mut contexts: Contexts, name: Option<String>, output: Output) -> Result<(), Failure> {
    let unchanged = contexts.current == name;
    if let Some(name) = &name {
        contexts.get(name)?;
    }
    contexts.current.clone_from(&name);
    if !unchanged {
        contexts.save()?;
    }
    let did = if unchanged { "unchanged" } else { "in use from now on" };
    match name {
        Some(name) => {
            let context = contexts.get(&name)?.clone();
            output.show(&Shown { name, in_use: true, context, did: Some(did) })
        }
        None => {
            output.note("no context is in use");
            list(&contexts, output)
        }
    }
}

fn create(mut contexts: Contexts, args: CreateArgs, output: Output) -> Result<(), Failure> {
    let CreateArgs { name, host, token_file, force } = args;
    if !is_name(&name) {
        let message = format!("`{name}` is no name of a context");
        return Err(Failure::usage(message)
            .cure("Use up to 64 letters, digits, `-`, `_` and `.`, such as `shop-prod`."));
    }
    if host.contains("://") {
        // What no command could use is told now.
        AdminClient::over(&host, None).map_err(Failure::usage)?;
    } else if token_file.is_some() {
        let message = "a token is for a `--host` that is a URL: over a socket you are its user";
        return Err(Failure::usage(message));
    }
    let is_path = host.contains('/') && !host.contains("://");
    let absolute = |path: PathBuf| {
        let failed =
            |error| Failure::file(format!("cannot tell where {} is", path.display()), &error);
        std::path::absolute(&path).map_err(failed)
    };
    // Who uses it may be in another folder.
    let host = if is_path { absolute(host.into())?.display().to_string() } else { host };
    let token_file = token_file.map(absolute).transpose()?;
    let context = Context { host, token_file };
    let before = contexts.contexts.get(&name);
    let did = match before {
        Some(before) if *before == context => "unchanged",
        Some(_) if !force => {
            let message = format!("there is another context `{name}`");
            return Err(Failure::usage(message).cure("`--force` replaces it."));
        }
        _ => "made",
    };
    if did == "made" {
        contexts.contexts.insert(name.clone(), context.clone());
        contexts.save()?;
    }
    let in_use = contexts.current.as_ref() == Some(&name);
    output.show(&Shown { name, in_use, context, did: Some(did) })
}

fn delete(mut contexts: Contexts, name: &str, output: Output) -> Result<(), Failure> {
    let context = contexts.get(name)?.clone();
    contexts.contexts.remove(name);
    if contexts.current.as_deref() == Some(name) {
        contexts.current = None;
    }
    contexts.save()?;
    let name = name.to_owned();
    output.show(&Shown { name, in_use: false, context, did: Some("deleted") })
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let did = self.did.map(|did| format!(": {did}")).unwrap_or_default();
        writeln!(f, "{}{did}", self.name)?;
        write!(f, "  host        {}", self.context.host)?;
        let file = self.context.token_file.iter();
        file.into_iter().try_for_each(|file| write!(f, "\n  token file  {}", file.display()))?;
        if self.in_use { write!(f, "\n  in use      yes") } else { Ok(()) }
    }
}
