//! The manifests in `manifests/`, unchanged.

use trellis_e2e::hostile::hostile;
use trellis_e2e::{ActorFile, Redis, Request, Step, actor, get, post};
use trellis_testkit::Signal;
use trellis_testkit::guests::built;

use crate::scenarios;

/// A manifest of this repository, which looks for its actors in `../dist`.
macro_rules! example {
    ($name:literal) => {
        Step::manifest(include_str!(concat!("../../../../manifests/", $name, ".yaml")))
    };
}

fn ordering() -> ActorFile {
    actor("orders", built("orders")).in_dist().cap("wascc:keyvalue")
}

fn pricing() -> ActorFile {
    actor("prices", built("prices")).in_dist().alias("prices")
}

/// A `POST` of an order.
const fn order(body: &'static str) -> Request {
    post("orders", body).at("/orders")
}

const TEA: &str = r#"{"article": "tea", "count": 2}"#;
const SOAP: &str = r#"{"article": "soap", "count": 2}"#;

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

    /// A JSON service of two actors.
    orders = [
        ordering().calls("prices"),
        pricing(),
        example!("orders"),
        Step::Start,
        order(TEA).shows("location", "/orders/1").is(201, "\"cents\":900"),
        order(TEA).shows("content-type", "application/json").is(201, "\"id\":2"),
        get("orders", "/orders/1").is(200, "\"article\":\"tea\""),
        get("orders", "/orders/9").is(404, "there is no order 9"),
        order("tea").is(400, "the order cannot be read"),
        get("orders", "/orders").shows("allow", "POST").is(405, "only POST"),
    ];

    /// What a caller learns of each way in which the call of another actor fails.
    orders_without_a_price = [
        ordering().calls("prices"),
        pricing(),
        example!("orders"),
        Step::Start,
        // It returns an `Err`.
        order(SOAP).is(422, "there is no article `soap`"),
        // It traps.
        actor("prices", hostile("traps")).in_dist().alias("prices"),
        Step::Log(&["replaced actor prices"]),
        order(TEA).is(502, "E_GUEST"),
        Step::Log(&["E_TRAP"]),
        // It does not answer in time.
        actor("prices", hostile("loops")).in_dist().alias("prices"),
        Step::Log(&["replaced actor prices"]),
        order(TEA).is(504, "E_TIMEOUT"),
        // It is called by another name.
        pricing().alias("cheap-prices"),
        Step::Log(&["replaced actor prices"]),
        order(TEA).is(502, "E_GUEST"),
        // The claims of the caller do not list it.
        pricing(),
        Step::Log(&["replaced actor prices"]),
        ordering(),
        Step::Log(&["replaced actor orders"]),
        order(TEA).is(502, "E_GUEST"),
        Step::Log(&["E_DENIED", "may not call actor `prices`"]),
        // It does not run.
        ordering().calls("prices"),
        Step::Log(&["replaced actor orders"]),
        Step::manifest(without_prices()),
        Step::Log(&["stopped actor prices"]),
        order(TEA).shows("retry-after", "5").is(503, "there are no prices now"),
        Step::manifest(include_str!("../../../../manifests/orders.yaml")),
        Step::Log(&["started actor prices"]),
        order(TEA).is(201, "\"cents\":900"),
    ];
}

/// The manifest of `orders` without the actor that it calls.
fn without_prices() -> String {
    let entry = "  - image: ../dist/prices.wasm\n    name: prices\n";
    let whole = include_str!("../../../../manifests/orders.yaml");
    assert!(whole.contains(entry), "prices is written otherwise");
    whole.replace(entry, "")
}
