//! The manifests in `manifests/`, unchanged.

use trellis_e2e::{Redis, Step, actor, get, post};
use trellis_testkit::Signal;
use trellis_testkit::guests::built;

use crate::scenarios;

/// A manifest of this repository, which looks for its actors in `../dist`.
macro_rules! example {
    ($name:literal) => {
        Step::manifest(include_str!(concat!("../../../../manifests/", $name, ".yaml")))
    };
}

scenarios! {
    /// One actor behind HTTP.
    hello = [
        actor("echo", built("echo")).in_dist(),
        example!("hello"),
        Step::Ends(&["--check"], 0, &["ok"]),
        Step::Start,
        get("echo", "/").is(200, "hello"),
        post("echo", "and back").is(200, "and back"),
    ];

    /// The counter is in a file, which survives a restart of the host.
    kvcounter = [
        actor("kvcounter", built("kvcounter")).in_dist().cap("wascc:keyvalue"),
        example!("kvcounter"),
        Step::Start,
        get("kvcounter", "/a").is(200, "{\"counter\": 1}"),
        get("kvcounter", "/a").is(200, "{\"counter\": 2}"),
        get("kvcounter", "/b").is(200, "{\"counter\": 1}"),
        Signal::TERM,
        Step::Stops(0, 20),
        Step::Start,
        get("kvcounter", "/a").is(200, "{\"counter\": 3}"),
    ];

    /// The same actor, counting in Redis.
    kvcounter_redis = [
        Redis::Up,
        actor("kvcounter", built("kvcounter")).in_dist().cap("wascc:keyvalue"),
        example!("kvcounter-redis"),
        Step::Start,
        get("kvcounter", "/a").is(200, "{\"counter\": 1}"),
        get("kvcounter", "/a").is(200, "{\"counter\": 2}"),
    ];

    /// An actor with a clock, randomness and settings.
    ticket = [
        actor("ticket", built("ticket"))
            .in_dist()
            .cap("trellis:clock")
            .cap("trellis:random")
            .cap("trellis:config"),
        example!("ticket"),
        Step::Start,
        get("ticket", "/").is(200, "{\"title\": \"bakery\", \"number\": \""),
    ];

    /// An actor that calls another.
    ping_pong = [
        actor("ping", built("ping")).in_dist().calls("pong"),
        actor("pong", built("pong")).in_dist().alias("pong"),
        example!("ping-pong"),
        Step::Start,
        get("ping", "/x").is(200, "pong /x"),
    ];
}
