import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { FRAME_BYTES_MAX } from "../trellis-provider.mjs";
import { BINDING, FakeHost, callOf, framed, pack, unpack } from "./fake-host.mjs";

const FIXTURE = fileURLToPath(new URL("fixture.mjs", import.meta.url));
const LIMITS = { timeout: 20_000 };

/**
 * A test with a provider that was made and has one binding.
 * @param {string} name @param {(host: FakeHost) => Promise<void>} body
 */
function served(name, body) {
  test(name, LIMITS, async (t) => {
    const host = await FakeHost.start(t, FIXTURE, "usual");
    await host.bind();
    await body(host);
  });
}

test("without a host it says what it is", () => {
  const [path, token] = [{ TRELLIS_PROVIDER_SOCKET: "/nowhere" }, { TRELLIS_PROVIDER_TOKEN: "x" }];
  const says = "error: `fixture` is a provider, which a Trellis host starts; name this program "
    + "under `providers` in a manifest: `- process: PATH`\n";
  const gone = "error: the connection to the host: connect ENOENT /nowhere\n";
  for (const [env, code, text] of /** @type {[Record<string, string>, number, string][]} */ ([
    [{}, 2, says], [path, 2, says], [token, 2, says], [{ ...path, ...token }, 1, gone],
  ])) {
    const { status, stderr } = spawnSync(process.execPath, [FIXTURE, "usual"], { env });
    assert.deepEqual([status, String(stderr)], [code, text]);
  }
});

test("it says hello, is made once, and ends", LIMITS, async (t) => {
  const host = await FakeHost.start(t, FIXTURE, "usual");
  const { descriptor, ...hello } = await host.next("hello");
  assert.deepEqual(hello, { t: "hello", token: "secret", protocol: 1, checks: true });
  const { contracts: [contract], ...rest } = descriptor;
  const limit = { integer: { min: 0, max: 9 } };
  assert.deepEqual(rest, {
    name: "fixture", version: "1.2.3", doc: "Does what tests need.", stateful: false,
    settings: [
      {
        key: "WORD", scope: "both", kind: "text", default: "hello", doc: "A word.",
        exclusive: false, plain: true,
      },
      {
        key: "LIMIT", scope: "provider", kind: limit, default: null, doc: "A limit.",
        exclusive: false, plain: false,
      },
    ],
  });
  assert.deepEqual([contract.id, contract.aliases], ["test:things", ["old:things"]]);
  const [first, last] = [contract.operations[0], contract.operations.at(-1)];
  assert.deepEqual(first, { name: "Echo", direction: "to_provider", doc: "Echo." });
  assert.deepEqual(last, { name: "Tell", direction: "to_actor", doc: "Tell." });

  for (const early of [{ t: "health" }, { t: "bind", binding: BINDING }]) {
    assert.equal((await host.ask(early))["error"].code, "E_STOPPING");
  }
  const create = { t: "create", values: {}, invokesMax: 1 };
  assert.equal((await host.ask(create))["t"], "ready");
  assert.equal((await host.ask(create))["error"].code, "E_INTERNAL");
  assert.deepEqual(await host.stop(), [0, null]);
  assert.deepEqual([host.stdout, host.stderr], ["stopping\nlet go: true\n", ""]);
});

test("a provider that cannot be made says why", LIMITS, async (t) => {
  const host = await FakeHost.start(t, FIXTURE, "usual");
  const create = { t: "create", values: { WORD: "wrong" }, invokesMax: 1 };
  const wrong = { code: "E_CONFIG", message: "WORD must be right; write `right`" };
  assert.deepEqual((await host.ask(create))["error"], wrong);

  const incomplete = await FakeHost.start(t, FIXTURE, "incomplete");
  const message = "the provider has no handler for `Echo` of test:things";
  assert.deepEqual((await incomplete.ask(create))["error"], { code: "E_INTERNAL", message });

  const wordy = await FakeHost.start(t, FIXTURE, "wordy");
  assert.deepEqual(await wordy.exit, [1, null]);
  assert.match(wordy.stderr, /^error: .*does not fit into a frame, which has at most 1048576\n$/);
});

test("a check finds every mistake where it stands", LIMITS, async (t) => {
  const host = await FakeHost.start(t, FIXTURE, "usual");
  const binding = { actor: "a", contract: "test:things", name: "default" };
  const bindings = [{ ...binding, values: {} }, { ...binding, values: { WORD: "wrong" } }];
  const wanted = { provider: "p", values: { WORD: "wrong", LIMIT: "many" }, bindings };
  const word = { key: "WORD", message: "WORD must be right", help: "write `right`" };
  const limit = { key: "LIMIT", message: "LIMIT must be a whole number", help: null };
  const { problems } = await host.ask({ t: "check", wanted: { ...wanted, beside: [wanted] } });
  assert.deepEqual(problems, [
    { place: "provider", error: word },
    { place: "provider", error: limit },
    { place: { binding: 1 }, error: word },
  ]);
  const right = { values: {}, bindings: [] };
  assert.deepEqual((await host.ask({ t: "check", wanted: right }))["problems"], []);
});

served("bindings come, change and go", async (host) => {
  const about = await host.call("About", undefined, { trace: "00-a-b-01", deadlineMs: 4_000 });
  const { remainingMs, ...rest } = about;
  assert.ok(remainingMs > 1_000 && remainingMs <= 4_000, String(remainingMs));
  assert.deepEqual(rest, {
    actorName: "actor", contract: "test:things", word: "hello", first: "hello",
    operation: "About", trace: "00-a-b-01",
  });
  const changed = { ...BINDING, contract: "old:things", values: { WORD: "bye" } };
  assert.equal((await host.ask({ t: "bind", binding: changed }))["error"], undefined);
  assert.equal((await host.call("About")).word, "bye");
  const wrong = { ...BINDING, values: { WORD: "wrong" } };
  assert.equal((await host.ask({ t: "bind", binding: wrong }))["error"].code, "E_CONFIG");
  assert.equal((await host.call("About")).word, "bye", "what is refused changes nothing");

  for (let times = 0; times < 2; times += 1) {
    assert.equal((await host.ask({ t: "unbind", binding: 7 }))["error"], undefined);
  }
  assert.equal((await host.next("log"))["message"], "unbound 7");
  assert.equal((await host.call("Echo", {})).error.code, "E_NOT_FOUND");
});

served("requests and answers are maps, bytes or nothing", async (host) => {
  const bytes = Uint8Array.of(0, 255);
  const request = { text: "ä", bytes, list: [null, true, -1, 1.5], map: { deep: {} } };
  assert.deepEqual(await host.call("Echo", request), request);
  assert.deepEqual(await host.call("Echo"), {}, "no message is an empty request");
  assert.equal(await host.call("Nothing", {}), undefined);
  const trailing = await host.ask(callOf("Echo", Uint8Array.of(...pack({ a: 1 }), 0)));
  assert.deepEqual(unpack(trailing["payload"]), { a: 1 }, "some guests send a zero behind it");
  const raw = await host.ask(callOf("Raw", Uint8Array.of(1, 2, 3)));
  assert.deepEqual([...raw["payload"]], [3, 2, 1]);
});

served("integers of 64 bits are exact, and floats stay floats", async (host) => {
  const large = Uint8Array.of(0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
  const small = Uint8Array.of(0xcf, 0, 0, 0, 1, 0, 0, 0, 0);
  const payload = Uint8Array.of(0x82, ...pack("large"), ...large, ...pack("small"), ...small);
  const answer = Buffer.from((await host.ask(callOf("Numbers", payload)))["payload"]);
  const float = Uint8Array.of(0xcb, 0x40, 0x4a, 0, 0, 0, 0, 0, 0);
  assert.equal(unpack(answer).types, "bigint number");
  for (const [key, bytes] of Object.entries({ large, small, float })) {
    assert.ok(answer.includes(Buffer.from([...pack(key), ...bytes])), key);
  }
});

served("many calls at once are answered in any order", async (host) => {
  const first = host.call("Ask", {});
  const calls = Array.from({ length: 500 }, (_, number) => host.call("Echo", { number }));
  const answers = await Promise.all(calls);
  assert.deepEqual(answers.map(({ number }) => number), [...Array(500).keys()]);
  host.send({ t: "invoked", id: (await host.next("invoke"))["id"], payload: pack("last") });
  assert.deepEqual(await first, { answer: "last" });
});

served("a cancelled call is stopped and not answered", async (host) => {
  host.send(callOf("Hang", pack({}), { id: 55 }));
  host.send({ t: "cancel", id: 55 });
  host.send({ t: "cancel", id: 56 });
  assert.equal((await host.next("log"))["message"], "aborted");
  await host.call("Echo", {});
  assert.deepEqual(host.waiting("result"), []);
});

served("a failure is an answer", async (host) => {
  const lost = { code: "E_PROVIDER", message: "half a pair: \ufffd" };
  assert.deepEqual(await host.call("Throw", {}), { error: lost });
  const busy = { code: "E_BUSY", message: "too much to do" };
  assert.deepEqual(await host.call("Refuse", {}), { error: busy });
  for (const unknown of ["Locate", "Tell", "toString"]) {
    const message = `test:things has no operation \`${unknown}\``;
    assert.deepEqual(await host.call(unknown, {}), { error: { code: "E_NOT_FOUND", message } });
  }
  for (const bytes of [[0xc1], [0x81], pack([1]), pack("x")]) {
    const { error } = await host.ask(callOf("Echo", Uint8Array.from(bytes)));
    assert.equal(error.code, "E_MESSAGE", JSON.stringify(error));
  }
  const large = await host.call("Big", { bytes: FRAME_BYTES_MAX });
  assert.equal(large.error.code, "E_TOO_LARGE");
  const { bytes } = await host.call("Big", { bytes: 17 << 20 });
  assert.equal(bytes.length, 17 << 20, "it fits, and what was refused left nothing behind");
});

served("it calls actors while actors call it", async (host) => {
  const asked = host.call("Ask", { word: "hi" }, { trace: "00-a-b-01" });
  const { id, payload, deadlineMs, ...invoke } = await host.next("invoke");
  assert.deepEqual(invoke, { t: "invoke", binding: 7, operation: "Tell", trace: "00-a-b-01" });
  assert.deepEqual(unpack(payload), { word: "hi" });
  assert.ok(Number.isInteger(deadlineMs) && deadlineMs > 1_000 && deadlineMs <= 5_000);
  assert.deepEqual(await host.call("Echo", { beside: 1 }), { beside: 1 });
  host.send({ t: "invoked", id: 999, payload: pack({}) });
  host.send({ t: "invoked", id, payload: pack({ word: "ho" }) });
  assert.deepEqual(await asked, { answer: { word: "ho" } });

  const refused = host.call("Ask", {});
  const error = { code: "E_DENIED", message: "not you" };
  host.send({ t: "invoked", id: (await host.next("invoke"))["id"], error });
  assert.deepEqual(await refused, { error });

  const empty = host.call("Ask", {});
  host.send({ t: "invoked", id: (await host.next("invoke"))["id"] });
  assert.deepEqual(await empty, {});
});

served("no more calls to actors are under way than the host allows", async (host) => {
  const many = host.call("AskMany", { count: 20 });
  for (let number = 0; number < 20; number += 1) {
    const { id, payload, deadlineMs } = await host.next("invoke");
    assert.equal(deadlineMs, null);
    assert.equal(payload[0], number, "first come, first served");
    await host.call("Echo", {});
    assert.ok(host.waiting("invoke").length <= 1, "two are allowed, and one was taken");
    host.send({ t: "invoked", id, payload });
  }
  assert.deepEqual(await many, { sum: 190 });

  const stuck = [host.call("Ask", { timeoutMs: 20 }), host.call("Ask", { timeoutMs: 20 })];
  const ids = [(await host.next("invoke"))["id"], (await host.next("invoke"))["id"]];
  assert.equal((await host.call("Ask", { timeoutMs: 50 })).error.code, "E_TIMEOUT");
  for (const id of ids) host.send({ t: "invoked", id });
  assert.deepEqual(await Promise.all(stuck), [{}, {}], "the host sees to the time of what it has");
  assert.deepEqual(host.waiting("invoke"), [], "what had no time left was never sent");
});

served("a call to an actor that nobody waits for is cancelled", async (host) => {
  for (let id = 50; id < 53; id += 1) host.send(callOf("Ask", pack({}), { id }));
  const first = await host.next("invoke");
  await host.next("invoke");
  host.send({ t: "cancel", id: 52 });
  host.send({ t: "cancel", id: 50 });
  assert.equal((await host.next("cancel"))["id"], first["id"]);
  host.send({ t: "invoked", id: first["id"] });
  const next = host.call("Ask", {});
  host.send({ t: "invoked", id: (await host.next("invoke"))["id"] });
  assert.deepEqual(await next, {}, "its place is free again");
  assert.deepEqual(host.waiting("cancel"), [], "what waited for a place was never sent");
});

served("it tells how it is and what it measured", async (host) => {
  const { id, ...healthy } = await host.ask({ t: "health" });
  const histogram = { buckets: [[0.5, 1], [null, 2]], sum: 1.5 };
  assert.deepEqual(healthy, {
    t: "healthy",
    degraded: null,
    addresses: [{ binding: 7, address: "127.0.0.1:80", url: "http://127.0.0.1:80/" }],
    samples: [
      { name: "on", help: "On", unit: "bytes", labels: [["a", "b"]], value: { counter: 3 } },
      { name: "level", help: "Level", unit: null, labels: [], value: { gauge: -2 } },
      { name: "time", help: "Time", unit: null, labels: [], value: { histogram } },
    ],
  });
  await host.call("Refuse", {});
  assert.equal((await host.ask({ t: "health" }))["degraded"], "its server is down");
  await host.call("Refuse", {});
  const { error } = await host.ask({ t: "health" });
  const message = "the sample `level` cannot be 0.5";
  assert.deepEqual(error, { code: "E_PROVIDER", message }, "the host could not read it");
});

served("it writes to the host's log, and not into memory without bounds", async (host) => {
  await host.call("Say", { times: 0 });
  const lines = host.waiting("log").map(({ level, message }) => [level, message]);
  assert.deepEqual(lines, [
    ["error", "an error"], ["warn", "one\ntwo"], ["info", "half a pair: \ufffd"],
  ]);
  host.socket.pause();
  const said = host.call("Say", { times: 1_000 });
  // Nothing is read before it has said all: what is read meanwhile makes room for more.
  while (!host.stdout.endsWith("said 1000\n")) await once(host.process.stdout, "data");
  host.socket.resume();
  await said;
  const count = host.waiting("log").filter(({ level }) => level === "debug").length;
  assert.ok(count > 100 && count < 300, `${count} lines of 8 KB`);
  await host.call("Say", {});
  const after = host.waiting("log").at(-3)?.["message"];
  assert.equal(after, `(${1_000 - count} before this are lost) an error`);
});

served("what is under way at a shutdown is finished", async (host) => {
  const asked = host.call("Ask", { word: "hi" });
  const { id } = await host.next("invoke");
  host.send({ t: "shutdown", deadlineMs: 5_000 });
  assert.equal((await host.call("Echo", {})).error.code, "E_STOPPING");
  host.send({ t: "invoked", id, payload: pack({ word: "ho" }) });
  assert.deepEqual(await asked, { answer: { word: "ho" } });
  assert.deepEqual(await host.exit, [0, null]);
  assert.equal(host.stdout, "stopping\nlet go: true\n");
});

served("what was answered before a shutdown arrives whole", async (host) => {
  const answered = host.call("Big", { bytes: 1 << 20 });
  host.send({ t: "shutdown", deadlineMs: 5_000 });
  assert.equal((await answered).bytes?.length, 1 << 20);
  assert.deepEqual(await host.exit, [0, null]);
});

served("a shutdown is over in time, whatever hangs", async (host) => {
  const hanging = host.call("Hang", {});
  const start = performance.now();
  host.send({ t: "shutdown", deadlineMs: 600 });
  assert.equal((await hanging).error.code, "E_STOPPING");
  assert.deepEqual(await host.exit, [0, null]);
  const took = performance.now() - start;
  assert.ok(took > 400 && took < 5_000, `${took} ms`);
  assert.match(host.stdout, /let go: true/, "what the provider has to save is saved in any case");
});

served("a host that hangs up ends it", async (host) => {
  host.send(callOf("Hang", pack({}), { id: 50 }));
  host.send(callOf("Ask", pack({}), { id: 51 }));
  await host.next("invoke");
  host.socket.end();
  assert.deepEqual(await host.exit, [0, null]);
  const lines = ["stopping", "Error: the host is gone", "let go: true", ""];
  assert.deepEqual([host.stdout.split("\n"), host.stderr], [lines, ""]);
});

served("a host that dies with all it reads ends it", async (host) => {
  const ended = once(host.process, "exit");
  for (const it of [host.process.stdout, host.process.stderr, host.socket]) it.destroy();
  assert.deepEqual(await ended, [0, null]);
});

served("SIGTERM is a shutdown", async (host) => {
  const asked = host.call("Ask", {});
  const { id } = await host.next("invoke");
  host.process.kill("SIGTERM");
  await once(host.process.stdout, "data");
  assert.equal(host.stdout, "stopping\n");
  host.send({ t: "invoked", id });
  assert.deepEqual(await asked, {});
  assert.deepEqual(await host.exit, [0, null]);
});

/** @type {[string, Uint8Array, string][]} */
const MALFORMED = [
  ["too long", Uint8Array.of(1, 0x11, 0, 1),
    "a frame of 17891329 bytes; at most 17891328 may come"],
  ["garbage", Buffer.from("GET /"), "a frame of 1195725856 bytes; at most 17891328 may come"],
  ["no MessagePack", framed(Uint8Array.of(0xc1)),
    "the message cannot be decoded: expected a MessagePack value"],
  ["no map", framed(pack([1])), "a frame is not a map"],
  ["of no known kind", framed(pack({ t: "dance", id: 1 })), "a frame of the unknown kind `dance`"],
  ["without its fields", framed(pack({ t: "call", id: 1 })),
    "`binding` of a frame must be a whole number"],
  ["with half a binding", framed(pack({ t: "bind", id: 1, binding: { id: 1 } })),
    "`actor` of a frame must be text"],
  ["cut", framed(pack({ t: "health", id: 1 })).subarray(0, 9),
    "the stream ended after 9 of 18 bytes of a frame"],
];
for (const [what, bytes, says] of MALFORMED) {
  served(`a frame that is malformed ends the connection: ${what}`, async (host) => {
    host.socket.end(bytes);
    assert.deepEqual(await host.exit, [1, null]);
    assert.equal(host.stderr, `error: the connection to the host: ${says}\n`);
    assert.match(host.stdout, /let go: true/);
  });
}
