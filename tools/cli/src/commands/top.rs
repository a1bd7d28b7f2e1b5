//! `trellis top`: what actors and providers have to do.

use std::time::{Duration, Instant};

use clap::Args;
use trellis_control::{Answer, Load};

use super::call::timeout;
use super::get::odd;
use super::host::HostChoice;
use super::runtime;
use crate::failure::Failure;
use crate::output::Output;
use crate::table::Table;

#[derive(Args, Debug)]
#[command(after_help = "\
Shown is what happened since the table before; with --once or `-o json` once, since the host
started. Times are those that so many calls stay below; MEMORY is that of providers that are
programs.
Exit codes: 0 shown, 2 several hosts run, 3 no such host, 4 the host is another user's, 5 no host
answers.")]
pub(crate) struct TopArgs {
    /// Shows one table, of all since the host started.
    #[arg(long)]
    once: bool,

    /// How often there is a new table, such as 500ms.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = timeout)]
    every: Duration,

    #[command(flatten)]
    host: HostChoice,
}

/// Clears a terminal.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";
/// Least time between two tables: who asks more often is part of the load.
const EVERY_MIN: Duration = Duration::from_millis(100);

pub(crate) fn run(args: &TopArgs, output: Output) -> Result<(), Failure> {
    runtime::block_on(async {
        let mut before: Option<(Instant, Vec<Load>)> = None;
        loop {
            let client = args.host.client(output).await?;
            let Answer::Loads(loads) = client.get(&["loads"]).await? else { return Err(odd()) };
            let at = Instant::now();
            let since = before.as_ref().map(|(then, loads)| (at - *then, &**loads));
            let table = table(&loads, since);
            if loads.is_empty() && before.is_none() {
                output.note("note: nothing runs on this host, and its manifest wants nothing");
            }
            if args.once || output.is_document() {
                return output.list(&Answer::Loads(loads), &table);
            }
            match (output.is_terminal(), before.is_some()) {
                (true, _) => output.raw(CLEAR.as_bytes())?,
                (false, true) => output.line("")?,
                (false, false) => {}
            }
            output.list(&(), &table)?;
            before = Some((at, loads));
            tokio::time::sleep(args.every.max(EVERY_MIN)).await;
        }
    })
}

/// What there was to do: since then, or since the host started.
fn table(loads: &[Load], since: Option<(Duration, &[Load])>) -> Table {
    let narrow = [
        "NAME",
        "KIND",
        "CALLS",
        "PER S",
        "FAILED",
        "P50",
        "P90",
        "P99",
        "INSTANCES",
        "WAITING",
        "MEMORY",
    ];
    let mut table = Table::new(&narrow, &[]);
    for now in loads {
        let before = since.and_then(|(_, loads)| {
            loads.iter().find(|it| (it.kind, &it.name) == (now.kind, &now.name))
        });
        let load = before.map_or_else(|| now.clone(), |before| now.since(before));
        let per_s = since.map(|(span, _)| load.calls as f64 / span.as_secs_f64().max(0.001));
        let number = |number: Option<u32>| number.map(|it| it.to_string()).unwrap_or_default();
        table.row([
            load.name.clone(),
            load.kind.to_string(),
            load.calls.to_string(),
            per_s.map(|per_s| format!("{per_s:.1}")).unwrap_or_default(),
            load.failures.to_string(),
            below(&load, load.p50_us),
            below(&load, load.p90_us),
            below(&load, load.p99_us),
            number(load.instances),
            number(load.waiting),
            load.memory_bytes.map(|it| format!("{} MiB", it >> 20)).unwrap_or_default(),
        ]);
    }
    table
}

/// A time that so many calls stay below.
fn below(load: &Load, us: Option<u64>) -> String {
    match us {
        _ if load.calls == 0 => String::new(),
        // The longest that is told apart.
        None => ">5s".to_owned(),
        Some(us) if us >= 1_000_000 => format!("{}s", us / 1_000_000),
        Some(us) if us >= 1_000 => format!("{}ms", us as f64 / 1_000.0),
        Some(us) => format!("{us}us"),
    }
}

#[cfg(test)]
mod tests {
    use trellis_control::{ComponentKind, TimeBucket};

    use super::*;

    fn load(calls: u64, under_us: Option<u64>) -> Load {
        let load = Load::of(ComponentKind::Actor, "web".to_owned());
        load.with_calls(vec![TimeBucket { under_us, calls }], 0)
    }

    #[test]
    fn a_table_is_of_what_was_since_the_one_before() {
        let (then, now) = ([load(10, Some(250))], [load(30, Some(250))]);
        let first = table(&then, None).text(false);
        assert!(first.contains("web   actor  10     -"), "{first}");
        let next = table(&now, Some((Duration::from_secs(2), &then))).text(false);
        assert!(next.contains("web   actor  20     10.0") && next.contains("250us"), "{next}");
    }

    #[test]
    fn times_have_their_units() {
        for (us, text) in [(Some(2_500), "2.5ms"), (Some(5_000_000), "5s"), (None, ">5s")] {
            let load = load(1, us);
            assert_eq!(below(&load, load.p50_us), text);
        }
        assert_eq!(below(&load(0, Some(5)), None), "");
    }
}
