import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { FakeHost, callOf, pack } from "./fake-host.mjs";

const GEO = fileURLToPath(new URL("../examples/geo.mjs", import.meta.url));
const MESSAGE = "PLACES has an entry that is no place";
const HELP = "write `NAME=LATITUDE,LONGITUDE`, and `;` between two of them";

test("the example refuses what is no place", { timeout: 15_000 }, async (t) => {
  const host = await FakeHost.start(t, GEO);
  for (const PLACES of ["Rome", "Rome=1", "Rome=1,2,3", "Rome=,", "Rome=0x1,2", "a=1,2; "]) {
    const wanted = { values: { PLACES }, bindings: [] };
    const { problems } = await host.ask({ t: "check", wanted });
    const error = { key: "PLACES", message: MESSAGE, help: HELP };
    assert.deepEqual(problems, [{ place: "provider", error }], PLACES);
  }
  const { error } = await host.ask({ t: "create", values: { PLACES: "Rome" }, invokesMax: 1 });
  assert.deepEqual(error, { code: "E_CONFIG", message: `${MESSAGE}; ${HELP}` });
});

test("the example knows where places are", { timeout: 15_000 }, async (t) => {
  const host = await FakeHost.start(t, GEO);
  const PLACES = "Rome = 41.9, 12 ;Cairo=+30.04,.3124e2;";
  await host.ask({ t: "create", values: { PLACES }, invokesMax: 1 });
  await host.bind({ contract: "demo:geo" });

  const lima = { name: "Lima", latitude: -12.0464, longitude: -77.0428 };
  assert.deepEqual(await host.call("Locate", { name: "Lima" }), lima);
  const cairo = { name: "Cairo", latitude: 30.04, longitude: 31.24 };
  assert.deepEqual(await host.call("Locate", { name: "Cairo" }), cairo);
  const { payload } = await host.ask(callOf("Locate", pack({ name: "Rome" })));
  const twelve = Buffer.from([...pack("longitude"), 0xcb, 0x40, 0x28, 0, 0, 0, 0, 0, 0]);
  assert.ok(Buffer.from(payload).includes(twelve), "a whole number is a float too");

  const unknown = "no place `Atlantis` is known; known are: Berlin, Cairo, Lima, Oslo, Rome";
  const { error } = await host.call("Locate", { name: "Atlantis" });
  assert.deepEqual(error, { code: "E_NOT_FOUND", message: unknown });
  const decoded = "the message cannot be decoded: expected";
  for (const [request, expected] of [[{}, "a value"], [{ name: 1 }, "text"]]) {
    const message = `${decoded} ${expected} in field \`name\``;
    assert.deepEqual((await host.call("Locate", request)).error, { code: "E_MESSAGE", message });
  }
  const { samples } = await host.ask({ t: "health" });
  const texts = { name: "geo_lookups", help: "Places that were asked for" };
  assert.deepEqual(samples, [{ ...texts, unit: null, labels: [], value: { counter: 4 } }]);
});
