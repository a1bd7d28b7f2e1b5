#!/usr/bin/env node
// A provider of a contract of its own, `demo:geo`: where places are. The contract is `geo.wit` of
// the Rust example.

import { Float64, ProviderError, ValueError, problemsOf, serve } from "../trellis-provider.mjs";

/** @typedef {{ latitude: number, longitude: number }} Place */

/** @type {[string, Place][]} */
const BUILT_IN = [
  ["Berlin", { latitude: 52.52, longitude: 13.405 }],
  ["Lima", { latitude: -12.0464, longitude: -77.0428 }],
  ["Oslo", { latitude: 59.9139, longitude: 10.7522 }],
];
const NUMBER = String.raw`\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*`;
const ENTRY = new RegExp(`^([^=]*)=${NUMBER},${NUMBER}$`);

/** The places that are built in, and those of the values. */
function placesOf(/** @type {import("../trellis-provider.mjs").Values} */ values) {
  const entries = (values.text("PLACES") ?? "").split(";").filter((entry) => entry !== "");
  return new Map([...BUILT_IN, ...entries.map(read)]);
}

/** @param {string} entry @returns {[string, Place]} */
function read(entry) {
  const [, name, ...numbers] = ENTRY.exec(entry) ?? [];
  const [latitude = NaN, longitude = NaN] = numbers.map(Number);
  if (name === undefined || !(Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180)) {
    const help = "write `NAME=LATITUDE,LONGITUDE`, and `;` between two of them";
    throw new ValueError("PLACES", "PLACES has an entry that is no place", help);
  }
  return [name.trim(), { latitude, longitude }];
}

/** @param {unknown} name @returns {string} */
function textOf(name) {
  if (typeof name === "string") return name;
  const expected = name === undefined ? "a value" : "text";
  const message = `the message cannot be decoded: expected ${expected} in field \`name\``;
  throw new ProviderError("E_MESSAGE", message);
}

await serve({
  name: "geo",
  version: "0.1.0",
  doc: "Knows where a few places are.",
  contracts: [
    {
      id: "demo:geo",
      operations: [{ name: "Locate", doc: "Where a place is.", idempotent: true }],
    },
  ],
  settings: [{
    key: "PLACES", scope: "provider", kind: "text",
    doc: "More places: `NAME=LATITUDE,LONGITUDE;...`.",
  }],
  check: (wanted) => problemsOf(wanted, placesOf),
  create({ values }) {
    const places = placesOf(values);
    let lookups = 0;

    /** @type {import("../trellis-provider.mjs").Handler} */
    const locate = (request) => {
      const name = textOf(request["name"]);
      lookups += 1;
      const place = places.get(name);
      if (place === undefined) {
        const known = [...places.keys()].sort().join(", ");
        const message = `no place \`${name}\` is known; known are: ${known}`;
        throw new ProviderError("E_NOT_FOUND", message);
      }
      const { latitude, longitude } = place;
      return { name, latitude: new Float64(latitude), longitude: new Float64(longitude) };
    };
    return {
      operations: { "demo:geo": { Locate: locate } },
      samples: () => [
        { name: "geo_lookups", help: "Places that were asked for", value: { counter: lookups } },
      ],
    };
  },
});
