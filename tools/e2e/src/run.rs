//! Runs a scenario.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use trellis_testkit::redis::RedisServer;
use trellis_testkit::{
    Client, HostProcess, Signal, Site, SmallDisk, after, eventually, run_to_end, signal,
};

use crate::load::Load;
use crate::step::{Change, Disk, Redis, Request, Step};

/// The path of a scenario's manifest.
const MANIFEST: &str = "app/manifest.yaml";
/// The path of a small disk.
const DISK: &str = "disk";

/// Runs the steps one after another.
///
/// # Panics
/// At the first step that fails, with its number and the host's log.
pub fn run(steps: impl IntoIterator<Item = Step>) {
    let mut stage = Stage::new();
    for (number, step) in (1..).zip(steps) {
        if let Err(error) = stage.step(&step) {
            panic!("step {number}: {error:#}\n{}", stage.log());
        }
    }
}

/// Everything a scenario has made so far.
struct Stage {
    site: Site,
    /// A port that is in use: `${TAKEN_PORT}` in a manifest.
    taken: TcpListener,
    redis: Option<RedisServer>,
    disk: Option<SmallDisk>,
    /// The actors put in place so far: `${KEY_OF_NAME}` in a manifest.
    actors: BTreeSet<&'static str>,
    /// The archives put in place so far: `${PROVIDER_KEY_OF_NAME}` in a manifest.
    archives: BTreeSet<&'static str>,
    host: Option<HostProcess>,
    /// One connection for each actor. Every scenario checks that it survives reloads.
    clients: BTreeMap<&'static str, Client>,
    load: Option<Load>,
    meanwhile: Option<JoinHandle<Result<()>>>,
    remembered: BTreeMap<&'static str, f64>,
    /// When the last change was made, and how many lines the log had.
    changed: (Instant, usize),
}

impl Stage {
    fn new() -> Self {
        Self {
            site: Site::new(),
            taken: TcpListener::bind("127.0.0.1:0").expect("a loopback interface"),
            redis: None,
            disk: None,
            actors: BTreeSet::new(),
            archives: BTreeSet::new(),
            host: None,
            clients: BTreeMap::new(),
            load: None,
            meanwhile: None,
            remembered: BTreeMap::new(),
            changed: (Instant::now(), 0),
        }
    }

    fn step(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Do(change) => self.change(change),
            Step::Start => self.start(&[]),
            Step::StartWith(arguments) => self.start(arguments),
            Step::Ends(arguments, code, says) => ends(self.command().args(*arguments), *code, says),
            Step::EndsAfter(first, code, says) => {
                ends(&mut after(first, &self.command()), *code, says)
            }
            Step::Stops(code, seconds) => self.stops(*code, Duration::from_secs(*seconds)),
            Step::Asks(request) => self.asks(request),
            Step::AsksMeanwhile(request) => self.asks_meanwhile(request),
            Step::Answered => self.answered(),
            Step::Closed(actor) => self.closed(actor),
            Step::LoadStarts(actor) => self.load_starts(actor, "/"),
            Step::LoadStartsAt(actor, path) => self.load_starts(actor, path),
            Step::LoadEnds => self.load_ends().map(drop),
            Step::LoadCounted(actor) => self.load_counted(actor),
            Step::Admin(path, status, says) => {
                let answer =
                    self.host()?.ask(path).context("the admin address does not respond")?;
                judge(path, (answer.status, &answer.text()), (*status, says))
            }
            Step::Metric(name, least) => {
                let value = self.host()?.metric(name);
                ensure!(value >= *least, "{name} is {value}, expected at least {least}");
                Ok(())
            }
            Step::Remember(name) => {
                self.remembered.insert(name, self.host()?.metric(name));
                Ok(())
            }
            Step::Unchanged(name) => {
                let (value, before) = (self.host()?.metric(name), self.remembered.get(name));
                ensure!(before == Some(&value), "{name} is {value}, but was {before:?}");
                Ok(())
            }
            Step::Log(says) => self.logs(says),
            Step::Prints(says) => {
                let found = self
                    .host()?
                    .printed()
                    .wait_for(0, |line| says.iter().all(|says| line.contains(says)).then_some(()));
                found.with_context(|| format!("no printed line has {says:?}"))
            }
            Step::NeverPrints(fragment) => {
                let printed = self.host()?.printed();
                ensure!(printed.count_of(fragment) == 0, "{fragment} in:\n{}", printed.text());
                Ok(())
            }
            Step::LogAtMost(most, fragment) => {
                let count = self.host()?.log().count_of(fragment);
                ensure!(count <= *most, "{count} lines of the log contain {fragment}");
                Ok(())
            }
            Step::Soon(step) => eventually(|| self.step(step)),
        }
    }

    fn change(&mut self, change: &Change) -> Result<()> {
        self.changed = (Instant::now(), self.host.as_ref().map_or(0, |host| host.log().count()));
        match change {
            Change::Actor(actor) => {
                actor.put(&self.site);
                self.actors.insert(actor.name);
            }
            Change::Archive(archive) => {
                archive.put(&self.site);
                self.archives.insert(archive.name);
            }
            Change::File(path, bytes) => self.site.put(path, bytes),
            Change::Manifest(text) => self.site.put(MANIFEST, text),
            Change::Signal(signal) => self.host()?.signal(*signal),
            Change::Redis(change) => self.change_redis(*change)?,
            Change::Disk(change) => self.change_disk(*change)?,
        }
        Ok(())
    }

    fn change_redis(&mut self, change: Redis) -> Result<()> {
        if change == Redis::Up && self.redis.is_none() {
            self.redis = Some(RedisServer::start());
            return Ok(());
        }
        let redis = self.redis.as_mut().context("no Redis was started")?;
        let send = |which| redis.process_id().map(|id| signal(id, which));
        match change {
            Redis::Up => redis.restart(),
            Redis::Down => redis.kill(),
            Redis::Frozen => send(Signal::STOP).context("Redis is down")?,
            Redis::Thawed => send(Signal::CONT).context("Redis is down")?,
        }
        Ok(())
    }

    fn change_disk(&mut self, change: Disk) -> Result<()> {
        let disk = || self.disk.as_ref().context("there is no small disk");
        match change {
            Disk::Small => self.disk = Some(SmallDisk::at(self.site.path(DISK))),
            Disk::Full => disk()?.fill(self.host()?.process_id()),
            Disk::Free => disk()?.free(self.host()?.process_id()),
        }
        Ok(())
    }

    fn command(&self) -> Command {
        let mut command = self.site.host(MANIFEST);
        let taken = self.taken.local_addr().map(|address| address.port());
        command.env("TAKEN_PORT", taken.unwrap_or_default().to_string());
        command.env("PORT", "0").env("DATA_DIR", self.site.path("data"));
        command.envs(self.actors.iter().map(|name| {
            let key = self.site.account().subject(name).to_string();
            (format!("KEY_OF_{}", name.to_uppercase()), key)
        }));
        command.envs(self.archives.iter().map(|name| {
            let key = self.site.account().provider_subject(name).to_string();
            (format!("PROVIDER_KEY_OF_{}", name.to_uppercase()), key)
        }));
        command.envs(self.redis.as_ref().map(|redis| ("REDIS_URL", redis.url())));
        command.env("DISK", self.site.path(DISK));
        match &self.disk {
            Some(disk) => disk.under(&command),
            None => command,
        }
    }

    fn start(&mut self, arguments: &[&str]) -> Result<()> {
        self.changed = (Instant::now(), 0);
        self.clients.clear();
        match HostProcess::start(self.command().args(arguments)) {
            Ok(host) => self.host = Some(host),
            Err(ended) => bail!("the host did not start: {ended:#?}"),
        }
        Ok(())
    }

    fn stops(&mut self, code: i32, within: Duration) -> Result<()> {
        let ended = self.host.take().context("no host is running")?.wait();
        let took = self.changed.0.elapsed();
        ensure!(ended.code == Some(code), "its exit code is {:?}:\n{}", ended.code, ended.stderr);
        ensure!(took < within, "it took {took:?}:\n{}", ended.stderr);
        Ok(())
    }

    fn asks(&mut self, request: &Request) -> Result<()> {
        let address = self.host()?.address_of(request.actor);
        let client = self.clients.entry(request.actor).or_insert_with(|| Client::new(address));
        ask(client, request)
    }

    fn asks_meanwhile(&mut self, request: &Request) -> Result<()> {
        let mut client = Client::new(self.host()?.address_of(request.actor));
        let request = request.clone();
        self.meanwhile = Some(std::thread::spawn(move || ask(&mut client, &request)));
        Ok(())
    }

    fn answered(&mut self) -> Result<()> {
        let asked = self.meanwhile.take().context("no request was sent meanwhile")?;
        asked.join().unwrap_or_else(|_| bail!("the client panicked"))
    }

    fn load_starts(&mut self, actor: &str, path: &'static str) -> Result<()> {
        self.load = Some(Load::start(self.host()?.address_of(actor), path)?);
        Ok(())
    }

    fn load_ends(&mut self) -> Result<u64> {
        self.load.take().context("no load was started")?.end()
    }

    fn load_counted(&mut self, actor: &'static str) -> Result<()> {
        let acknowledged = self.load_ends()?;
        let answer = Client::new(self.host()?.address_of(actor)).send("GET", "/", b"")?;
        let counted = format!("{{\"counter\": {}}}", acknowledged + 1);
        judge("the counter after the load", (answer.status, &answer.text()), (200, &counted))
    }

    fn closed(&self, actor: &'static str) -> Result<()> {
        let address: SocketAddr = self.host()?.address_of(actor);
        ensure!(TcpStream::connect(address).is_err(), "{actor} still listens on {address}");
        Ok(())
    }

    fn logs(&self, says: &[&str]) -> Result<()> {
        let found = self.host()?.log().wait_for(self.changed.1, |line| {
            says.iter().all(|says| line.contains(says)).then_some(())
        });
        found.with_context(|| format!("no line of the log contains {says:?}"))
    }

    fn host(&self) -> Result<&HostProcess> {
        self.host.as_ref().context("no host is running")
    }

    fn log(&self) -> String {
        self.host.as_ref().map_or_else(String::new, |host| host.log().text())
    }
}

fn ends(command: &mut Command, code: i32, says: &[&str]) -> Result<()> {
    let ended = run_to_end(command);
    let all = format!("{}{}", ended.stdout, ended.stderr);
    let missing = says.iter().find(|says| !all.contains(**says));
    ensure!(missing.is_none(), "it did not print {missing:?}, but:\n{all}");
    ensure!(ended.code == Some(code), "its exit code is {:?}:\n{all}", ended.code);
    Ok(())
}

fn ask(client: &mut Client, request: &Request) -> Result<()> {
    let Request { actor, method, path, .. } = request;
    let what = format!("{method} {path} of {actor}");
    let answer = client
        .send_with(method, path, request.header, request.body.as_bytes())
        .context(what.clone())?;
    if let Some((name, value)) = request.field {
        let found = answer.field(name);
        ensure!(found == Some(value), "{what}: {name} is {found:?}, expected {value}");
    }
    judge(&what, (answer.status, &answer.text()), (request.status, request.says))
}

/// What ends with a line is wanted as the whole answer, anything else as a part of it.
fn judge(what: &str, (status, text): (u16, &str), wanted: (u16, &str)) -> Result<()> {
    let says = wanted.1;
    let fits = if says.ends_with('\n') { text == says } else { text.contains(says) };
    ensure!(status == wanted.0 && fits, "{what}: {status} {text}, expected {wanted:?}");
    Ok(())
}
