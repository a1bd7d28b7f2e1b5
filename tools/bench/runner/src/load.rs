//! Load on an HTTP server: as much as it can handle, or a fixed rate.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

/// Connections that are kept open.
const CONNECTIONS: u32 = 32;
/// Requests per second of a latency row, well below what any side can handle.
const RATE_PER_S: u32 = 8_000;

/// Requests per second, measured by `wrk`, or by our own client when `wrk` is not installed.
pub(crate) fn throughput(url: &str, longest: Duration) -> Result<f64> {
    let seconds = longest.as_secs().max(1);
    let wrk = Command::new("wrk")
        .args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{seconds}s"), url])
        .output();
    let Ok(output) = wrk else {
        let taken = run(url, longest, None)?;
        return Ok(taken.len() as f64 / longest.as_secs_f64());
    };
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success() && !text.contains("Non-2xx"), "wrk {url}:\n{text}");
    let line = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    line.with_context(|| format!("wrk printed:\n{text}"))?.trim().parse().context("Requests/sec")
}

/// The 99th percentile at the fixed rate, in nanoseconds.
pub(crate) fn latency_p99(url: &str, longest: Duration) -> Result<f64> {
    let every = Duration::from_secs(1) * CONNECTIONS / RATE_PER_S;
    let mut taken = run(url, longest, Some(every))?;
    ensure!(!taken.is_empty(), "{url} did not respond");
    taken.sort_unstable();
    Ok(taken[taken.len() * 99 / 100].as_nanos() as f64)
}

/// How long each request took. With `every`, each connection sends one request per `every`.
fn run(url: &str, longest: Duration, every: Option<Duration>) -> Result<Vec<Duration>> {
    let uri: Uri = url.parse().context("an address")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connections = JoinSet::new();
        for number in 0..CONNECTIONS {
            // Connections start at different times, so their requests do not come in bursts.
            let shift = every.unwrap_or_default() * number / CONNECTIONS;
            connections.spawn(connection(uri.clone(), Instant::now() + shift, longest, every));
        }
        let mut taken = Vec::new();
        while let Some(joined) = connections.join_next().await {
            taken.extend(joined.context("a connection panicked")??);
        }
        Ok(taken)
    })
}

async fn connection(
    uri: Uri,
    start: Instant,
    longest: Duration,
    every: Option<Duration>,
) -> Result<Vec<Duration>> {
    let mut sender = connect(&uri).await?;
    let mut taken = Vec::new();
    let mut due = start;
    while due.duration_since(start) < longest {
        let late = Instant::now() > due;
        if every.is_some() && !late {
            sleep_until(due.into()).await;
        }
        // A request that had to wait for the one before it counts from when it was due. One that
        // the timer woke late counts from when it was sent.
        let began = if every.is_some() && late { due } else { Instant::now() };
        let status = get(&mut sender, &uri).await?.status();
        ensure!(status == StatusCode::OK, "{uri} responded with {status}");
        taken.push(began.elapsed());
        due = every.map_or_else(Instant::now, |every| due + every);
    }
    Ok(taken)
}

/// A connection that is kept open.
pub(crate) async fn connect(uri: &Uri) -> Result<SendRequest<Empty<Bytes>>> {
    let authority = uri.authority().context("an address with a host")?.as_str();
    let stream = TcpStream::connect(authority).await?;
    stream.set_nodelay(true)?;
    let (sender, driver) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(driver);
    Ok(sender)
}

/// Sends a request and takes its whole response, of which the body is left out here.
pub(crate) async fn get(sender: &mut SendRequest<Empty<Bytes>>, uri: &Uri) -> Result<Response<()>> {
    let request = Request::get(uri.path())
        .header("host", uri.authority().map_or("", |authority| authority.as_str()))
        .body(Empty::new())?;
    sender.ready().await?;
    let response = sender.send_request(request).await?;
    let (head, body) = response.into_parts();
    body.collect().await?;
    Ok(Response::from_parts(head, ()))
}
