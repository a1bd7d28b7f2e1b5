//! `trellis logs`: what a host logs, and what actors and providers print.

use clap::{Args, ValueEnum};
use trellis_control::{Answer, LogLevel, LogLine};

use super::follow::{Extent, follow};
use super::get::odd;
use super::host::HostChoice;
use super::known::check_known;
use super::live;
use super::runtime;
use crate::clean::clean;
use crate::failure::Failure;
use crate::output::Output;

#[derive(Args, Debug)]
#[command(after_help = "\
Shown is what the host's own log shows (`host --log`), the last 4 MiB of it; with `-f -o json` a
line is a document. Over the network it needs a token for `operate`.
Exit codes: 0 listed, 2 several hosts run, 3 no such host, actor or provider, 4 the host is another
user's, or the token has ended, 5 no host answers, or it stopped.")]
pub(crate) struct LogsArgs {
    /// Only lines of the actor or the provider of that name: what it prints, and what the host says
    /// of it.
    #[arg(add = live::components())]
    name: Option<String>,

    /// Goes on with lines that come, until it is stopped.
    #[arg(short, long)]
    follow: bool,

    /// Only lines that matter as much as that.
    #[arg(long, value_enum, value_name = "LEVEL")]
    level: Option<Level>,

    #[command(flatten)]
    extent: Extent,
    #[command(flatten)]
    host: HostChoice,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Error => Self::Error,
            Level::Warn => Self::Warn,
            Level::Info => Self::Info,
            Level::Debug => Self::Debug,
            Level::Trace => Self::Trace,
        }
    }
}

pub(crate) fn run(args: &LogsArgs, output: Output) -> Result<(), Failure> {
    let mut query = args.extent.query();
    query.extend(args.name.iter().map(|name| ("about", name.clone())));
    query.extend(args.level.map(|level| ("level", LogLevel::from(level).to_string())));
    runtime::block_on(async {
        let client = args.host.client(output).await?;
        if args.follow {
            // It may come later.
            if let Some(name) = &args.name
                && let Err(unknown) = check_known(&client, name).await
            {
                output.note(format_args!("warning: {}", unknown.message()));
            }
            return follow::<LogLine>(&client, (&["logs"], &query), output).await;
        }
        let answer = client.list(&["logs"], &query).await?;
        let Answer::Logs(lines) = &answer else { return Err(odd()) };
        if lines.is_empty() {
            if let Some(name) = &args.name {
                check_known(&client, name).await?;
            }
            output.note("note: no line that is kept is meant by this");
        }
        if output.is_document() {
            return output.document(&answer);
        }
        lines.iter().try_for_each(|line| output.line(&clean(&line.to_string())))
    })
}
