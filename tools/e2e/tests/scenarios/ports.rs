//! Ports that change hands inside one host, by one change of the manifest: no connection is
//! refused, and no request is lost.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use trellis_e2e::Load;
use trellis_e2e::hostile::harmless;
use trellis_testkit::guests::built;
use trellis_testkit::{Client, HostProcess, Site};

/// A site with three actors: `one` says `ok`, the others say `hello`.
struct Stage {
    site: Site,
    ports: [u16; 3],
}

/// Clients that ask all the time, over kept connections and over new ones.
struct Clients {
    kept: Vec<Load>,
    /// Each connects again and again; what is refused ends it.
    new: Vec<JoinHandle<std::io::Result<()>>>,
    stop: Arc<AtomicBool>,
}

impl Stage {
    fn new() -> Self {
        let site = Site::new();
        let echo = built("echo");
        let modules = [("one", harmless()), ("two", echo.clone()), ("three", echo)];
        for (name, module) in modules {
            let mut draft = site.account().draft(name);
            draft.caps = vec!["wascc:http_server".to_owned()];
            site.put(&format!("app/{name}.wasm"), site.account().sign(&module, &draft));
        }
        let free =
            [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").expect("a loopback interface"));
        let ports = free.map(|free| free.local_addr().expect("it is bound").port());
        Self { site, ports }
    }

    fn at(&self, index: usize) -> SocketAddr {
        ([127, 0, 0, 1], self.ports[index]).into()
    }

    /// Writes a manifest: the servers, and for each actor the server and the port it is bound to.
    fn manifest(&self, servers: &[&str], bindings: &[(&str, &str, usize)]) {
        self.site.put("app/manifest.yaml", self.text(servers, bindings));
    }

    fn text(&self, servers: &[&str], bindings: &[(&str, &str, usize)]) -> String {
        let actor = |(name, ..): &(&str, &str, usize)| {
            format!("  - {{image: {name}.wasm, name: {name}}}\n")
        };
        let server = |name: &&str| format!("  - {{builtin: http-server, name: {name}}}\n");
        let binding = |(actor, server, port): &(&str, &str, usize)| {
            format!(
                "  - {{actor: {actor}, capability: 'wascc:http_server', provider: {server}, \
                 values: {{PORT: {}, ADDRESS: 127.0.0.1}}}}\n",
                self.ports[*port]
            )
        };
        let actors: String = bindings.iter().map(actor).collect();
        let servers: String = servers.iter().map(server).collect();
        let bindings: String = bindings.iter().map(binding).collect();
        format!("actors:\n{actors}providers:\n{servers}bindings:\n{bindings}")
    }

    /// Writes a manifest in which the servers of `one` and `two` have the ports.
    fn servers_at(&self, [front, back]: [usize; 2]) {
        let [front, back] = [front, back].map(|port| self.ports[port]);
        let text = format!(
            "actors: [{{image: one.wasm, name: one}}, {{image: two.wasm, name: two}}]
providers:
  - {{builtin: http-server, name: front, values: {{PORT: {front}, ADDRESS: 127.0.0.1}}}}
  - {{builtin: http-server, name: back, values: {{PORT: {back}, ADDRESS: 127.0.0.1}}}}
bindings:
  - {{actor: one, capability: 'wascc:http_server', provider: front}}
  - {{actor: two, capability: 'wascc:http_server', provider: back}}
"
        );
        self.site.put("app/manifest.yaml", text);
    }

    fn start(&self) -> HostProcess {
        HostProcess::start(&mut self.site.host("app/manifest.yaml")).expect("it starts")
    }

    /// Who answers at the first port and at the second.
    fn answers(&self) -> [String; 2] {
        [0, 1].map(|index| self.answer(index))
    }

    fn answer(&self, index: usize) -> String {
        let answer = Client::new(self.at(index)).send("GET", "/", b"");
        answer.expect("it responds").text()
    }

    /// At the first two ports.
    fn clients(&self) -> Clients {
        self.clients_at(0..2)
    }

    fn clients_at(&self, ports: Range<usize>) -> Clients {
        let stop = Arc::<AtomicBool>::default();
        let kept =
            ports.clone().map(|index| Load::start(self.at(index), "/").expect("it responds"));
        let kept = kept.collect();
        let new = ports.map(|index| {
            let (address, stop) = (self.at(index), Arc::clone(&stop));
            std::thread::spawn(move || {
                // Relaxed: nothing else is published with it.
                while !stop.load(Ordering::Relaxed) {
                    drop(TcpStream::connect(address)?);
                    std::thread::yield_now();
                }
                Ok(())
            })
        });
        Clients { kept, new: new.collect(), stop }
    }
}

impl Clients {
    /// Every request was answered with 200, and every connection was taken.
    fn end(self) {
        for load in self.kept {
            assert!(load.end().expect("no request fails") > 0);
        }
        self.stop.store(true, Ordering::Relaxed);
        for client in self.new {
            client.join().expect("it does not panic").expect("no connection is refused");
        }
    }
}

/// Waits until a line of the log, from number `from` on, says that this was done; nothing failed.
fn applied(host: &HostProcess, from: usize, says: &str) {
    let found = host.log().wait_for(from, |line| line.contains(says).then_some(()));
    assert!(found.is_some(), "the log does not say {says:?}:\n{}", host.log().text());
    assert_eq!(host.log().count_of("\"level\":\"ERROR\""), 0, "{}", host.log().text());
}

#[test]
fn two_actors_exchange_their_ports() {
    let stage = Stage::new();
    stage.manifest(&["web"], &[("one", "web", 0), ("two", "web", 1)]);
    let host = stage.start();
    assert_eq!(stage.answers(), ["ok", "hello"]);
    let clients = stage.clients();
    for round in 1..=6 {
        let (one, two) = if round % 2 == 1 { (1, 0) } else { (0, 1) };
        let from = host.log().count();
        // In some rounds the server is replaced too.
        let web = format!("web, values: {{IDLE_TIME_MAX: {}s}}", 60 + round / 2);
        stage.manifest(&[&web], &[("one", "web", one), ("two", "web", two)]);
        applied(&host, from, "rebound one");
        applied(&host, from, "rebound two");
        let mut expected = ["ok", "hello"];
        expected.swap(0, one);
        assert_eq!(stage.answers(), expected, "whoever was replaced has left");
    }
    clients.end();
}

/// Both servers are replaced and all bindings get other values, at once.
#[test]
fn everything_about_a_port_changes_but_the_port() {
    let stage = Stage::new();
    let change = |round: u32| {
        let idle = format!("values: {{IDLE_TIME_MAX: {}s}}", 60 + round);
        let servers = ["left", "right"].map(|name| format!("{name}, {idle}"));
        let bindings = [("one", "left", 0), ("two", "right", 1)];
        let text = stage.text(&[&servers[0], &servers[1]], &bindings);
        let values = format!("ADDRESS: 127.0.0.1, REQUEST_TIME_MAX: {}s}}", 20 + round);
        stage.site.put("app/manifest.yaml", text.replace("ADDRESS: 127.0.0.1}", &values));
    };
    change(0);
    let host = stage.start();
    let clients = stage.clients();
    for round in 1..=12 {
        let from = host.log().count();
        change(round);
        applied(&host, from, "replaced provider right");
        applied(&host, from, "rebound two");
        assert_eq!(stage.answers(), ["ok", "hello"]);
    }
    clients.end();
}

#[test]
fn a_server_gets_another_name() {
    let stage = Stage::new();
    stage.manifest(&["web"], &[("one", "web", 0), ("two", "web", 1)]);
    let host = stage.start();
    let clients = stage.clients();
    for (was, name) in [("web", "front"), ("front", "back")] {
        let from = host.log().count();
        stage.manifest(&[name], &[("one", name, 0), ("two", name, 1)]);
        applied(&host, from, &format!("renamed provider {was} to {name}"));
        assert_eq!(stage.answers(), ["ok", "hello"]);
    }
    clients.end();
}

/// Two layouts of two actors, each saved several times; the actors are bound anew each time.
fn exchange(layouts: [[(&str, &str, usize); 2]; 2], answers: [[&str; 2]; 2]) {
    let stage = Stage::new();
    let servers = ["front", "back"];
    stage.manifest(&servers, &layouts[0]);
    let host = stage.start();
    let clients = stage.clients();
    for round in [1, 0, 1, 0, 1, 0, 1, 0] {
        let from = host.log().count();
        stage.manifest(&servers, &layouts[round]);
        applied(&host, from, "rebound one");
        applied(&host, from, "rebound two");
        assert_eq!(stage.answers(), answers[round]);
    }
    clients.end();
}

#[test]
fn two_actors_exchange_their_servers() {
    let layouts =
        [[("one", "front", 0), ("two", "back", 1)], [("one", "back", 0), ("two", "front", 1)]];
    exchange(layouts, [["ok", "hello"]; 2]);
}

#[test]
fn two_actors_exchange_their_servers_and_their_ports() {
    let layouts =
        [[("one", "front", 0), ("two", "back", 1)], [("two", "front", 0), ("one", "back", 1)]];
    exchange(layouts, [["ok", "hello"], ["hello", "ok"]]);
}

#[test]
fn two_actors_exchange_their_ports_and_keep_their_servers() {
    let layouts =
        [[("one", "front", 0), ("two", "back", 1)], [("one", "front", 1), ("two", "back", 0)]];
    exchange(layouts, [["ok", "hello"], ["hello", "ok"]]);
}

/// So do servers whose own values they are.
#[test]
fn two_servers_exchange_their_ports() {
    ports_of_servers(0..2, &[[0, 1], [1, 0]]);
}

/// The first port is served all the time, by one or the other.
#[test]
fn a_server_takes_the_port_of_one_that_takes_another() {
    ports_of_servers(0..1, &[[0, 1], [2, 0]]);
}

/// Gives `one`'s and `two`'s servers these ports, in turns.
fn ports_of_servers(served: Range<usize>, layouts: &[[usize; 2]]) {
    let stage = Stage::new();
    stage.servers_at(layouts[0]);
    let host = stage.start();
    let clients = stage.clients_at(served);
    for [one, two] in layouts.iter().copied().cycle().skip(1).take(7) {
        let from = host.log().count();
        stage.servers_at([one, two]);
        for server in ["front", "back"] {
            applied(&host, from, &format!("replaced provider {server}"));
        }
        assert_eq!([stage.answer(one), stage.answer(two)], ["ok", "hello"]);
    }
    clients.end();
}

/// The first to be told gives up what the last one wants.
#[test]
fn three_servers_pass_their_ports_on() {
    let stage = Stage::new();
    let servers = ["front", "middle", "back"];
    let layout = |round: usize| {
        let at = |actor: usize| (actor + round) % 3;
        [("one", "front", at(0)), ("two", "middle", at(1)), ("three", "back", at(2))]
    };
    stage.manifest(&servers, &layout(0));
    let host = stage.start();
    let clients = stage.clients_at(0..3);
    for round in 1..=9 {
        let from = host.log().count();
        stage.manifest(&servers, &layout(round));
        for actor in ["one", "two", "three"] {
            applied(&host, from, &format!("rebound {actor}"));
        }
        let answers = [0, 1, 2].map(|index| stage.answer(index));
        let mut expected = ["hello"; 3];
        expected[round % 3] = "ok";
        assert_eq!(answers, expected);
    }
    clients.end();
}

/// As when an actor gets another name.
#[test]
fn an_actor_takes_the_port_of_one_that_goes() {
    let stage = Stage::new();
    stage.manifest(&["web"], &[("one", "web", 0), ("two", "web", 1)]);
    let host = stage.start();
    let clients = stage.clients();
    for round in 1..=6 {
        let (from, actor) = (host.log().count(), if round % 2 == 1 { "three" } else { "one" });
        stage.manifest(&["web"], &[(actor, "web", 0), ("two", "web", 1)]);
        applied(&host, from, &format!("bound {actor}"));
        assert_eq!(stage.answers(), [if actor == "one" { "ok" } else { "hello" }, "hello"]);
    }
    clients.end();
}

/// And two become one again.
#[test]
fn one_server_becomes_two() {
    let stage = Stage::new();
    let one = |name| stage.manifest(&[name], &[("one", name, 0), ("two", name, 1)]);
    one("web");
    let host = stage.start();
    let clients = stage.clients();
    for name in ["web", "front"] {
        let from = host.log().count();
        stage.manifest(&["left", "right"], &[("one", "left", 0), ("two", "right", 1)]);
        applied(&host, from, &format!("renamed provider {name} to left"));
        applied(&host, from, "rebound two");
        assert_eq!(stage.answers(), ["ok", "hello"]);
        let from = host.log().count();
        one("front");
        applied(&host, from, "renamed provider left to front");
        applied(&host, from, "stopped provider right");
        assert_eq!(stage.answers(), ["ok", "hello"]);
    }
    clients.end();
}
