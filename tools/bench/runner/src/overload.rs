//! More requests than a server can answer: how many it still answers, and how soon.
//!
//! The server has one core to itself, where there are two, so that sending the requests takes
//! nothing from answering them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hyper::header::RETRY_AFTER;
use hyper::{StatusCode, Uri};
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use crate::load::{connect, get};
use crate::rows::Figure;
use crate::server::Running;

/// How much more is asked than can be answered.
const TIMES: f64 = 5.0;
/// For how long.
const TIME: Duration = Duration::from_secs(60);
/// Connections that send more than can be answered.
const CONNECTIONS: u32 = 256;
/// Connections that ask for as much as can be answered.
const FEW: u32 = 4;
/// When the memory has its full size, and how much it may grow from then on.
const SETTLED: Duration = Duration::from_secs(10);
const GROWTH_BYTES_MAX: u64 = 8 << 20;

/// What came of the requests of one connection or of all.
#[derive(Default)]
struct Answers {
    /// How long those took that were answered with what was asked for.
    taken: Vec<Duration>,
    refused: usize,
}

/// Measures one figure; `longest` is for the peak.
pub(crate) fn measure(server: &Running, figure: Figure, longest: Duration) -> Result<f64> {
    let uri: Uri = server.url().parse().context("an address")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let rate = |count: usize, time: Duration| count as f64 / time.as_secs_f64();
    let peak = runtime.block_on(run(&uri, FEW, longest, None))?;
    ensure!(peak.refused == 0, "{uri} refused requests that it can answer");
    let peak = rate(peak.taken.len(), longest);
    if matches!(figure, Figure::Peak) {
        return Ok(peak);
    }
    let every = Duration::from_secs_f64(f64::from(CONNECTIONS) / (peak * TIMES));
    let mut answers = runtime.block_on(async {
        let settled = tokio::time::sleep(SETTLED);
        let overload = run(&uri, CONNECTIONS, TIME, Some(every));
        let before = async {
            settled.await;
            server.resident_bytes()
        };
        let (answers, before) = tokio::join!(overload, before);
        let grown = server.resident_bytes()?.saturating_sub(before?);
        ensure!(grown < GROWTH_BYTES_MAX, "the server's memory grew by {grown} bytes");
        answers
    })?;
    let (good, all) = (answers.taken.len(), answers.taken.len() + answers.refused);
    let wanted = TIMES * peak * TIME.as_secs_f64();
    ensure!(
        all as f64 > 0.9 * wanted,
        "only {all} of {wanted:.0} requests were answered in {TIME:?}"
    );
    if matches!(figure, Figure::Goodput) {
        return Ok(rate(good, TIME));
    }
    answers.taken.sort_unstable();
    let p99 = answers.taken.get(good * 99 / 100).context("nothing was answered")?;
    Ok(p99.as_nanos() as f64)
}

/// Sends requests over so many connections; with `every`, one per `every` over each.
async fn run(
    uri: &Uri,
    connections: u32,
    longest: Duration,
    every: Option<Duration>,
) -> Result<Answers> {
    let mut tasks = JoinSet::new();
    for number in 0..connections {
        let shift = every.unwrap_or_default() * number / connections;
        tasks.spawn(connection(uri.clone(), Instant::now() + shift, longest, every));
    }
    let mut all = Answers::default();
    while let Some(joined) = tasks.join_next().await {
        let answers = joined.context("a connection panicked")??;
        all.taken.extend(answers.taken);
        all.refused += answers.refused;
    }
    Ok(all)
}

async fn connection(
    uri: Uri,
    start: Instant,
    longest: Duration,
    every: Option<Duration>,
) -> Result<Answers> {
    let mut sender = connect(&uri).await?;
    let mut answers = Answers::default();
    let mut due = start;
    // Both: a server that cannot even refuse them all would otherwise be given more time.
    while due.duration_since(start) < longest && start.elapsed() < longest {
        let late = Instant::now() > due;
        if every.is_some() && !late {
            sleep_until(due.into()).await;
        }
        // As in the latency rows.
        let began = if every.is_some() && late { due } else { Instant::now() };
        let response = get(&mut sender, &uri).await?;
        match response.status() {
            StatusCode::OK => answers.taken.push(began.elapsed()),
            StatusCode::SERVICE_UNAVAILABLE if response.headers().contains_key(RETRY_AFTER) => {
                answers.refused += 1;
            }
            other => anyhow::bail!("{uri} responded with {other}"),
        }
        due = every.map_or_else(Instant::now, |every| due + every);
    }
    Ok(answers)
}
