import assert from "node:assert/strict";
import { test } from "node:test";

import { Float64, ValueError, Values, decode, encode } from "../trellis-provider.mjs";

/** @param {string} text */
const one = (text) => new Values({ KEY: text });

test("values are read by their form", () => {
  assert.equal(one(" a ").text("KEY"), " a ");
  assert.equal(one("+12").integer("KEY"), 12);
  assert.equal(one("true").boolean("KEY"), true);
  assert.equal(one("false").boolean("KEY"), false);
  const times = { "500ms": 500, "5": 5_000, "5s": 5_000, "2 m": 120_000, "1h": 3_600_000 };
  for (const [text, ms] of Object.entries(times)) assert.equal(one(text).duration("KEY"), ms);
  const sizes = { "512": 512, "64MiB": 64 << 20, "16 kB": 16_000, "1GiB": 2 ** 30 };
  for (const [text, bytes] of Object.entries(sizes)) assert.equal(one(text).size("KEY"), bytes);
});

test("a value of another form is refused without being repeated", () => {
  for (const text of ["", "s", "5x", "-1s", "1.5s", "99999999999999999999", "constructor"]) {
    for (const read of /** @type {const} */ (["integer", "boolean", "duration", "size"])) {
      assert.throws(() => one(text)[read]("KEY"), (error) => {
        assert.ok(error instanceof ValueError);
        assert.deepEqual([error.code, error.key], ["E_CONFIG", "KEY"]);
        assert.match(error.message, /^KEY (must be (a|`true`) [^9]*|is too large)$/);
        return true;
      });
    }
  }
});

test("what is not written has its default, or nothing", () => {
  const values = new Values({ KEY: "1s" }, { KEY: "5s", OTHER: "x" });
  assert.equal(values.duration("KEY"), 1_000);
  assert.equal(values.without("KEY").duration("KEY"), 5_000);
  assert.equal(values.text("OTHER"), "x");
  assert.equal(values.boolean("NONE"), undefined);
  assert.deepEqual([values.has("KEY"), values.has("OTHER")], [true, false]);
  assert.equal(one("2s").over(values).duration("KEY"), 2_000);
});

test("messages survive both ways", () => {
  const edges = [0, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 2];
  const integers = edges.flatMap((edge) => [edge, -edge - 1]);
  const wide = [2n ** 53n, 2n ** 64n - 1n, -(2n ** 63n)];
  const texts = ["", "ä", "x".repeat(32), "x".repeat(256), "x".repeat(65_536)];
  const bytes = [0, 256, 65_536].map((length) => new Uint8Array(length));
  const lists = [15, 16, 65_536].map((length) => Array(length).fill(1));
  const map = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`k${index}`, index]));
  const others = [0.5, true, null, { a: {} }, map];
  for (const value of [...integers, ...texts, ...bytes, ...lists, ...others]) {
    assert.deepEqual(decode(encode(value)), value);
    assert.deepEqual(decode(encode({ value, wide })), { value, wide }, "beside a BigInt too");
  }
  assert.deepEqual(encode({ a: undefined }), encode({}));
  assert.deepEqual([...encode(new Float64(1))], [0xcb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]);
  for (const large of [2n ** 64n, -(2n ** 63n) - 1n]) {
    assert.throws(() => encode({ large }), /64 bits/);
  }
});

test("bytes that are no message are refused, whatever they promise", () => {
  assert.doesNotThrow(() => decode(Uint8Array.from([...Array(32).fill(0x91), 0])));
  for (const [bytes, expected] of /** @type {[number[], string][]} */ ([
    [[], "more bytes: the message ends early"],
    [[0xc1], "a MessagePack value"],
    [[0x81], "more bytes: the message ends early"],
    [[0xa1, 0xff], "UTF-8 text"],
    [[...Array(33).fill(0x91), 0], "less nesting"],
    [[0xdd, 0xff, 0xff, 0xff, 0xff], "more bytes: the message ends early"],
    [Array(30).fill([0xdd, 0, 0xff, 0xff, 0xff]).flat(), "more bytes: the message ends early"],
  ])) {
    const message = `the message cannot be decoded: expected ${expected}`;
    assert.throws(() => decode(Uint8Array.from(bytes)), { code: "E_MESSAGE", message });
  }
});
