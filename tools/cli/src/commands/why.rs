//! `trellis why`: why a call was let through or not.

use clap::Args;
use trellis_control::{Answer, Decision};

use super::get::odd;
use super::host::HostChoice;
use super::runtime;
use crate::failure::Failure;
use crate::output::Output;
use crate::table::Table;

#[derive(Args, Debug)]
#[command(after_help = "\
Calls are listed in the order in which they were decided; ROAD says what each passed and where it
ended. Kept are the last 1,000 that were refused, and as many that failed or went on while somebody
spied on them, until the host restarts. Over the network it needs a token for `operate`.
Exit codes: 0 listed, 2 several hosts run, 3 no such host, or nothing is known of that trace, 4 the
host is another user's, 5 no host answers.")]
pub(crate) struct WhyArgs {
    /// The trace of a call, 32 hex digits, or its whole `traceparent`: the log has it as
    /// `trace_id`, and `trellis spy` shows it. Without it all that are kept.
    trace: Option<String>,
    #[command(flatten)]
    host: HostChoice,
}

pub(crate) fn run(args: &WhyArgs, output: Output) -> Result<(), Failure> {
    let trace = args.trace.as_deref().map(trace_in);
    let resource: Vec<_> = ["calls"].into_iter().chain(trace.as_deref()).collect();
    let decisions = runtime::block_on(async {
        let client = args.host.client(output).await?;
        match client.get(&resource).await? {
            Answer::Decisions(decisions) => Ok(decisions),
            _ => Err(odd()),
        }
    })?;
    if decisions.is_empty() {
        output
            .note("note: no call was refused, and nobody has spied on one, since the host started");
    }
    let table = table(&decisions);
    output.list(&Answer::Decisions(decisions), &table)
}

/// The trace in what may be a whole `traceparent`.
fn trace_in(text: &str) -> String {
    let mut parts = text.split('-');
    let trace = match (parts.next(), parts.next(), parts.count()) {
        (Some("00"), Some(trace), 2) => trace,
        _ => text,
    };
    trace.to_ascii_lowercase()
}

fn table(decisions: &[Decision]) -> Table {
    let narrow = ["TRACE", "VERDICT", "ROAD", "CALLER", "CALLEE", "OPERATION", "WHY"];
    let mut table = Table::new(&narrow, &["TIME", "CODE"]);
    for it in decisions {
        table.row([
            it.trace_id.clone(),
            it.verdict.to_string(),
            it.road(),
            it.caller.clone().unwrap_or_default(),
            it.callee.clone(),
            it.operation.clone().unwrap_or_default(),
            it.why.clone(),
            it.time.clone(),
            it.code.map(|code| code.to_string()).unwrap_or_default(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_found_in_its_traceparent() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let parent = format!("00-{trace}-00f067aa0ba902b7-01");
        for text in [&*parent, trace, &trace.to_uppercase()] {
            assert_eq!(trace_in(text), trace, "{text}");
        }
        assert_eq!(trace_in("a-b"), "a-b");
    }
}
