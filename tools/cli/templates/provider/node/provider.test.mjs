// `npm test` runs this; no host is needed.

import assert from "node:assert/strict";
import { test } from "node:test";

import { definition, wordOf } from "./provider.mjs";
import { Values } from "./trellis-provider.mjs";

test("somebody is greeted", async () => {
  const values = new Values({ WORD: "Hello" });
  const { operations } = await definition.create(/** @type {any} */ ({ values }));
  const greet = /** @type {any} */ (operations["demo:new_name"]?.["Greet"]);
  assert.deepEqual(greet({ name: "Ada" }), { text: "Hello, Ada!" });
  assert.throws(() => greet({ name: "" }), { code: "E_NOT_FOUND" });
});

test("a word that is none is refused", () => {
  assert.throws(() => wordOf(new Values({ WORD: "Hello you" })), { key: "WORD" });
});
