/**
 * An SDK for Trellis capability providers that run as processes of their own.
 *
 * A provider is a {@link Definition}: it describes itself and says how it is made. {@link serve} is
 * the whole `main` of its program; `README.md` shows the smallest one.
 *
 * Messages are MessagePack. Integers are numbers, or BigInts where a number would not be exact;
 * both may be answered. JavaScript cannot tell 52.0 from 52, so what a contract declares as a float
 * is answered as `new Float64(52)`. Bytes are `Uint8Array`s. What is `undefined` is left out.
 *
 * Handlers share one thread: one that computes for long, without an `await`, holds up all others.
 *
 * @module
 */

import { isUtf8 } from "node:buffer";
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { format, toUSVString } from "node:util";

import * as msgpack from "@msgpack/msgpack";

/** Longest frame, in bytes. */
export const FRAME_BYTES_MAX = 17 * 2 ** 20 + 64 * 2 ** 10;
const HELLO_BYTES_MAX = 2 ** 20; // Of the first frame.
const NESTING_MAX = 32; // Of a message; the same as the host's.
const ORPHAN_GRACE_MS = 2_000; // How long ending may take when nobody says how long,
const SHARE_OF_CALLS = 0.8; // how much of that is left to the calls under way,
const LAST_WORDS_MS = 200; // and how long a host may take to read the last answers.
const LOG_BACKLOG_BYTES = 2 ** 20; // Unread bytes above which log lines are dropped.
const TEXT_LENGTH_MAX = 8 * 2 ** 10; // Of an error or a message for the log.
const TIMER_MS_MAX = 2 ** 31 - 1; // A timer of more would fire at once.

// ------------------------------------------------------------------------------------------ types

/**
 * @typedef {{ name: string, direction?: "to_provider" | "to_actor", doc: string,
 *   idempotent?: boolean }} Operation Its name on the wire, who is asked (by default the provider),
 *   one sentence, and whether the host may repeat a request that got no answer: asking twice is
 *   like asking once.
 * @typedef {{ id: string, aliases?: string[], operations: Operation[] }} Contract
 * @typedef {"text" | "boolean" | "duration" | "size" | { integer: { min: number, max: number } }
 *   | { choice: string[] } | { path: string[] }} SettingKind
 *
 * @typedef {object} Setting A value that the provider understands. The host refuses any other.
 * @property {string} key Upper case by custom.
 * @property {"provider" | "binding" | "both"} scope Where it may stand in a manifest.
 * @property {SettingKind} kind
 * @property {string} [default] As it would be written in a manifest.
 * @property {string} doc One sentence, with the unit.
 * @property {boolean} [exclusive] True when only one provider may hold what it names: a file.
 * @property {boolean} [plain] True when its value is no secret although it is any text: whoever
 *   looks at the host may see it.
 *
 * @typedef {{ id: number, actor: string, actorName: string, contract: string, name: string,
 *   payloadBytesMax: number, values: Values }} Binding One actor's use of the provider: `actor` is
 *   its key, `actorName` is for people, and `values` are its own over the provider's.
 *
 * @typedef {object} Call One call from an actor.
 * @property {Binding} binding Whose call it is.
 * @property {string} operation
 * @property {number} remainingMs How long the actor still waits.
 * @property {string | null} trace What it belongs to, as the value of a `traceparent` header.
 * @property {AbortSignal} signal Aborted when nobody waits for the answer any more.
 * @typedef {(request: Record<string, unknown>, call: Call) => unknown} Handler
 *   Takes a decoded request and gives the answer. `{}` may be no message, and `undefined` is none.
 * @typedef {(payload: Uint8Array, call: Call) => Uint8Array | Promise<Uint8Array>} RawHandler
 *   The same with bytes.
 * @typedef {{ binding: number, address: string, url: string }} Listening
 *   A binding, the `IP:PORT` where it takes work from outside, and what to open to reach it.
 * @typedef {{ counter: number } | { gauge: number }
 *   | { histogram: { buckets: [number | null, number][], sum: number } }} SampleValue
 *   Buckets are upper bounds, `null` for infinity, each with how many fell into it alone.
 * @typedef {{ name: string, help: string, unit?: string | null, labels?: Record<string, string>,
 *   value: SampleValue }} Sample One measured value. Its name is without the unit and `_total`.
 *
 * @typedef {object} Provider A running provider. Only `operations` is needed.
 * @property {Record<string, Record<string, Handler | { raw: RawHandler }>>} operations
 *   A handler for each operation that goes to the provider, by contract.
 * @property {(binding: Binding) => unknown} [bind] An actor is bound, or its values changed.
 * @property {(binding: Binding) => unknown} [unbind] It no longer is.
 * @property {() => string | void | Promise<string | void>} [health] What does not work.
 * @property {() => Listening[] | Promise<Listening[]>} [addresses]
 * @property {() => Sample[] | Promise<Sample[]>} [samples]
 * @property {(graceMs: number) => unknown} [shutdown] Lets go of everything. Called when the calls
 *   under way have ended; see {@link Host.stopping} for the moment before.
 *
 * @typedef {{ actor: string, contract: string, name: string, values: Values }} WantedBinding
 *   Its values are its own, without the provider's.
 * @typedef {{ provider: string, values: Values, bindings: WantedBinding[],
 *   hostAddresses: string[], beside: Wanted[] }} Wanted All that a manifest wants of the provider,
 *   where the host itself listens, and what is wanted of other providers of the same kind.
 * @typedef {{ place: "provider" | { binding: number }, error: ValueError }} Problem
 *   A wrong value of the provider, or of the binding of that index.
 *
 * @typedef {object} Definition What a provider is, and how it is made.
 * @property {string} name
 * @property {string} version
 * @property {string} doc One sentence.
 * @property {Contract[]} contracts
 * @property {Setting[]} [settings]
 * @property {boolean} [stateful] True when it keeps data by the actor's key.
 * @property {(given: { values: Values, host: Host }) => Provider | Promise<Provider>} create
 *   Makes the provider. Called once.
 * @property {(wanted: Wanted) => Problem[] | Promise<Problem[]>} [check]
 *   Finds what `create` and `bind` would refuse, and touches nothing; see {@link problemsOf}.
 *
 * @typedef {object} InvokeOptions
 * @property {number} [timeoutMs] How long to wait; otherwise as long as the actor may take.
 * @property {string | null} [trace] The `traceparent` to go on with, such as `call.trace`.
 * @property {AbortSignal} [signal] Gives up when it is aborted.
 *
 * @typedef {Record<string, any>} Frame
 */

// ----------------------------------------------------------------------------------------- errors

/** A failure with a code. Thrown by a handler, it is the answer; other errors are `E_PROVIDER`. */
export class ProviderError extends Error {
  /** @param {string} code Such as `E_NOT_FOUND`. @param {string} message One sentence. */
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** A value that cannot be used: a sentence that names its key, and what to do about it. The text is
 * not to be repeated, as it may be a secret. */
export class ValueError extends ProviderError {
  /** @param {string} key @param {string} sentence @param {string | null} [help] */
  constructor(key, sentence, help = null) {
    super("E_CONFIG", help === null ? sentence : `${sentence}; ${help}`);
    this.key = key;
    this.sentence = sentence;
    this.help = help;
  }
}

const hostIsGone = () => new ProviderError("E_STOPPING", "the host is gone");
const isEnding = () => new ProviderError("E_STOPPING", "the provider is ending");
const isUnwanted = () => new ProviderError("E_STOPPING", "nobody waits for the answer any more");
const timedOut = () => new ProviderError("E_TIMEOUT", "other calls to actors took too long");

/** @param {unknown} error */
const messageOf = (error) => (error instanceof Error ? error.message || error.name : String(error));
/** Half a surrogate pair is no UTF-8, and the host would hang up on it. @param {string} text */
const fitting = (text) => toUSVString(text.slice(0, TEXT_LENGTH_MAX));
/** @param {unknown} error */
const failureOf = (error) => {
  const code = error instanceof ProviderError ? error.code : "E_PROVIDER";
  return { code, message: fitting(messageOf(error)) };
};
/** @param {string} text */
const complain = (text) => process.stderr.write(`error: ${text}\n`);

// ----------------------------------------------------------------------------------------- values

const TIMES = { ms: 1, "": 1_000, s: 1_000, m: 60_000, h: 3_600_000 };
const DECIMAL_SIZES = { "": 1, B: 1, KB: 1e3, kB: 1e3, MB: 1e6, GB: 1e9 };
const SIZES = { ...DECIMAL_SIZES, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/** The `values:` of a manifest. What is not written there has the default of its setting. */
export class Values {
  #texts;
  #defaults;

  /** @param {Record<string, string>} texts @param {Record<string, string>} [defaults] */
  constructor(texts, defaults = {}) {
    this.#texts = texts;
    this.#defaults = defaults;
  }

  /** True when the manifest has it. @param {string} key */
  has(key) { return Object.hasOwn(this.#texts, key); }

  /** The text as written. @param {string} key @returns {string | undefined} */
  text(key) { return this.has(key) ? this.#texts[key] : this.#defaults[key]; }

  /** A whole number. @param {string} key */
  integer(key) {
    const isWhole = /^\+?\d+$/;
    return this.#read(key, "a whole number", (text) => (isWhole.test(text) ? Number(text) : null));
  }

  /** `true` or `false`. @param {string} key */
  boolean(key) {
    const words = new Map([["true", true], ["false", false]]);
    return this.#read(key, "`true` or `false`", (text) => words.get(text) ?? null);
  }

  /** A time (`500ms`, `5s`, `1m`), in milliseconds. @param {string} key */
  duration(key) {
    return this.#read(key, "a time such as `500ms` or `5s`", (text) => measured(text, TIMES));
  }

  /** A size (`512`, `64MiB`), in bytes. @param {string} key */
  size(key) {
    return this.#read(key, "a size such as `64KiB` or `16MiB`", (text) => measured(text, SIZES));
  }

  /** These values over `below`. @param {Values} below */
  over(below) { return new Values({ ...below.#texts, ...this.#texts }, this.#defaults); }

  /** These values without `key`. @param {string} key */
  without(key) {
    const { [key]: _, ...others } = this.#texts;
    return new Values(others, this.#defaults);
  }

  /**
   * @template T
   * @param {string} key @param {string} form @param {(text: string) => T | null} parse
   */
  #read(key, form, parse) {
    const text = this.text(key);
    if (text === undefined) return undefined;
    const value = parse(text);
    if (value === null) throw new ValueError(key, `${key} must be ${form}`);
    if (typeof value === "number" && !Number.isSafeInteger(value)) {
      throw new ValueError(key, `${key} is too large`);
    }
    return value;
  }
}

/** @param {string} text @param {Record<string, number>} units */
function measured(text, units) {
  const [, digits, unit = ""] = /^(\d+)\s*([A-Za-z]*)$/.exec(text.trim()) ?? [];
  const size = Object.hasOwn(units, unit) ? units[unit] : undefined;
  return digits === undefined || size === undefined ? null : Number(digits) * size;
}

/**
 * What is wrong with the values a manifest has. Reads those of the provider, then those of each
 * binding over them, with the function that the provider itself reads them with. After a mistake it
 * reads again without it: every mistake is found, once, where it stands.
 * @param {Wanted} wanted
 * @param {(values: Values) => unknown} read Throws a {@link ValueError} for what it cannot use.
 */
export function problemsOf(wanted, read) {
  /** @type {Problem[]} */
  const problems = [];
  /** Gives what is right. @type {(values: Values, place: Problem["place"]) => Values} */
  const readAll = (values, place) => {
    try {
      read(values);
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      problems.push({ place, error });
      // What is written nowhere would be missed for ever.
      if (values.has(error.key)) return readAll(values.without(error.key), place);
    }
    return values;
  };
  const below = readAll(wanted.values, "provider");
  wanted.bindings.forEach(({ values }, binding) => readAll(values.over(below), { binding }));
  return problems;
}

// ------------------------------------------------------------------------------------ MessagePack

/** A number that is written as a float, even when it is a whole one. */
export class Float64 {
  /** @param {number} value */
  constructor(value) {
    this.value = value;
  }
}

/** The MessagePack form of a value. @param {unknown} value @returns {Uint8Array} */
export function encode(value) {
  if (!needsExact(value)) return msgpack.encode(value, { ignoreUndefined: true });
  // So all numbers are written as floats and all BigInts as integers: the types decide.
  const options = { ignoreUndefined: true, useBigInt64: true, forceIntegerToFloat: true };
  return msgpack.encode(exact(value), options);
}

/** True if the library alone would not write what is meant. @param {unknown} value */
function needsExact(value) {
  if (typeof value === "bigint" || value instanceof Float64) return true;
  return isContainer(value) && Object.values(value).some(needsExact);
}

/** @param {unknown} value @returns {unknown} */
function exact(value) {
  if (value instanceof Float64) return value.value;
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : value;
  // The library would cut it to 64 bits without a word.
  if (typeof value === "bigint" && (value < -(2n ** 63n) || value >= 2n ** 64n)) {
    throw new RangeError(`${value} does not fit into 64 bits`);
  }
  if (Array.isArray(value)) return value.map(exact);
  if (!isContainer(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, exact(field)]));
}

/**
 * The value that MessagePack bytes stand for. Bytes after it are ignored: some guest languages send
 * them. Throws `E_MESSAGE` for what is none.
 * @param {Uint8Array} bytes @returns {unknown}
 */
export function decode(bytes) {
  try {
    return narrow(msgpack.decode(bytes.subarray(0, lengthOf(bytes)), { useBigInt64: true }));
  } catch (error) {
    throw new ProviderError("E_MESSAGE", `the message cannot be decoded: ${messageOf(error)}`);
  }
}

/** BigInts that need not be any become numbers. @param {unknown} value @returns {unknown} */
function narrow(value) {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (isContainer(value)) {
    for (const key of Object.keys(value)) value[key] = narrow(value[key]);
  }
  return value;
}

/** True for lists and maps. @param {unknown} value @returns {value is Record<string, unknown>} */
function isContainer(value) {
  return typeof value === "object" && value !== null && !ArrayBuffer.isView(value)
    && !(value instanceof Date || value instanceof msgpack.ExtData);
}

/** @param {unknown} value @returns {value is Record<string, unknown>} */
function isMap(value) { return isContainer(value) && !Array.isArray(value); }

/** How many bytes of a value or, where it has one, of its length follow each head from 0xc0 on. */
const BYTES_BEHIND = [
  0, NaN, 0, 0, 1, 2, 4, 1, 2, 4, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3, 5, 9, 17, 1, 2, 4, 2, 4, 2, 4,
];

/**
 * The length of the first value. To be asked before it is decoded: the library trusts the lengths
 * it reads and any depth, so that few bytes could fill the memory, and replaces what is not UTF-8.
 * @param {Uint8Array} bytes
 */
function lengthOf(bytes) {
  let at = 0;
  /** @param {number} count */
  const take = (count) => {
    if (count > bytes.length - at) throw new Error("expected more bytes: the message ends early");
    at += count;
    return bytes.subarray(at - count, at);
  };
  /** @param {number} size */
  const number = (size) => take(size).reduce((sum, byte) => sum * 256 + byte, 0);
  /** @param {number} length */
  const text = (length) => {
    if (!isUtf8(take(length))) throw new Error("expected UTF-8 text");
  };
  // How many values are still to come, at each depth.
  const open = [1];
  /** @param {number} count */
  const values = (count) => {
    if (open.length > NESTING_MAX) throw new Error("expected less nesting");
    open.push(count);
  };
  while (open.length > 0) {
    const left = open.pop() ?? 0;
    if (left === 0) continue;
    open.push(left - 1);
    const head = bytes[at] ?? 0xc1;
    take(1);
    const size = BYTES_BEHIND[head - 0xc0] ?? 0;
    if (head < 0x80 || head >= 0xe0) continue;
    if (head < 0x90) values(2 * (head & 0x0f));
    else if (head < 0xa0) values(head & 0x0f);
    else if (head < 0xc0) text(head & 0x1f);
    else if (head >= 0xde) values(2 * number(size));
    else if (head >= 0xdc) values(number(size));
    else if (head >= 0xd9) text(number(size));
    else if (head >= 0xc7 && head <= 0xc9) take(number(size) + 1);
    else if (head >= 0xc4 && head <= 0xc6) take(number(size));
    else if (head === 0xc1) throw new Error("expected a MessagePack value");
    else take(size);
  }
  return at;
}

// ----------------------------------------------------------------------------------------- frames

const NAMED = { actor: "", actorName: "", contract: "", name: "" };
/** The host's frames, each with an example of every field that must be there. */
const EXAMPLES = new Map(Object.entries({
  create: { id: 0, values: {}, invokesMax: 0 },
  check: { id: 0, wanted: { values: {}, bindings: [] } },
  bind: { id: 0, binding: { ...NAMED, id: 0, payloadBytesMax: 0, values: {} } },
  unbind: { id: 0, binding: 0 },
  call: { id: 0, binding: 0, operation: "", payload: new Uint8Array(), deadlineMs: 0 },
  cancel: { id: 0 },
  health: { id: 0 },
  invoked: { id: 0 },
  shutdown: { deadlineMs: 0 },
}));

/** @param {Uint8Array} bytes @returns {Frame} */
function frameOf(bytes) {
  const frame = decode(bytes);
  if (!isMap(frame)) throw new Error("a frame is not a map");
  const example = EXAMPLES.get(String(frame["t"]));
  if (example === undefined) throw new Error(`a frame of the unknown kind \`${frame["t"]}\``);
  refuseMisfit(frame, example);
  return frame;
}

/** @param {Frame} fields @param {Frame} example */
function refuseMisfit(fields, example) {
  for (const [key, value] of Object.entries(example)) {
    const form = formOf(value);
    if (formOf(fields[key]) !== form) throw new Error(`\`${key}\` of a frame must be ${form}`);
    if (isMap(value)) refuseMisfit(fields[key], value);
  }
}

/** @param {unknown} value */
function formOf(value) {
  if (typeof value === "bigint" || Number.isSafeInteger(value)) return "a whole number";
  if (typeof value === "string") return "text";
  if (value instanceof Uint8Array) return "bytes";
  if (Array.isArray(value)) return "a list";
  return isMap(value) ? "a map" : "something else";
}

/** Frames over a socket: a length of four bytes, the highest first, then a map of that many. */
class Connection {
  #socket;

  /** @param {import("node:net").Socket} socket */
  constructor(socket) {
    this.#socket = socket;
    // The reader is told too. Without a listener an error would end the process.
    socket.on("error", () => {});
  }

  /** Bytes that the host has not read. */
  get backlog() { return this.#socket.writableLength; }

  /** Sends a frame. Does not wait. @param {Frame} frame @param {number} [bytesMax] */
  send(frame, bytesMax = FRAME_BYTES_MAX) {
    const body = encode(frame);
    if (body.length > bytesMax) {
      const size = `a message of ${body.length} bytes`;
      const message = `${size} does not fit into a frame, which has at most ${bytesMax}`;
      throw new ProviderError("E_TOO_LARGE", message);
    }
    if (!this.#socket.writable) throw hostIsGone();
    const length = Buffer.alloc(4);
    length.writeUInt32BE(body.length);
    this.#socket.write(Buffer.concat([length, body]));
  }

  /** The frames of the host, until it closes the connection. Throws for what is malformed. */
  async *frames() {
    /** @type {Buffer[]} */
    let chunks = [];
    let [size, needed] = [0, 4];
    for await (const chunk of this.#socket) {
      chunks.push(chunk);
      size += chunk.length;
      // Put together once enough is there, and not for each part of a long frame.
      if (size < needed) continue;
      let bytes = Buffer.concat(chunks);
      for (needed = 4; bytes.length >= 4; needed = 4) {
        const length = bytes.readUInt32BE();
        if (length > FRAME_BYTES_MAX) {
          throw new Error(`a frame of ${length} bytes; at most ${FRAME_BYTES_MAX} may come`);
        }
        needed += length;
        if (bytes.length < needed) break;
        // A copy: a payload that is kept must not keep all that came with it.
        yield frameOf(new Uint8Array(bytes.subarray(4, needed)));
        bytes = bytes.subarray(needed);
      }
      [chunks, size] = [[bytes], bytes.length];
    }
    if (size > 0) throw new Error(`the stream ended after ${size} of ${needed} bytes of a frame`);
  }

  /** Closes it once everything is written. */
  async end() {
    this.#socket.end();
    if (!this.#socket.writableFinished) await once(this.#socket, "finish");
  }
}

/** Does what is of no use to a host that is gone. @param {() => void} send */
function quietly(send) {
  try {
    send();
  } catch {
    // It is gone.
  }
}

// ------------------------------------------------------------------------------------------- host

/**
 * What a provider is given to reach actors and the host's log with.
 *
 * @typedef {{ send: () => void, settle: (error: unknown, payload?: Uint8Array) => void }} Invoke
 */
export class Host {
  #connection;
  #permits;
  #nextId = 1;
  #lostLines = 0;
  /** @type {Map<number, Invoke>} Those that wait for a permit, in their order. */
  #queued = new Map();
  /** @type {Map<number, Invoke>} Those that wait for their answers. */
  #sent = new Map();

  /** The host's log: of what somebody must act on, what somebody should know, what is worth a line,
   * and what is for who develops the provider. Each level takes what `console.log` takes. */
  log = {
    error: this.#writer("error"),
    warn: this.#writer("warn"),
    info: this.#writer("info"),
    debug: this.#writer("debug"),
  };

  /** @param {Connection} connection @param {number} permits @param {AbortSignal} stopping */
  constructor(connection, permits, stopping) {
    this.#connection = connection;
    this.#permits = permits;
    /** Aborted when the provider must take no more work from outside, and finish what it has. */
    this.stopping = stopping;
  }

  /**
   * Calls the actor behind a binding. Waits while as many calls are under way as the host allows.
   * Gives the decoded answer, `undefined` for an empty one. Throws a {@link ProviderError} when the
   * host or the actor refuses it.
   * @param {number} binding @param {string} operation @param {Record<string, unknown>} [request]
   * @param {InvokeOptions} [options] @returns {Promise<unknown>}
   */
  async invoke(binding, operation, request, options) {
    const payload = request === undefined ? new Uint8Array() : encode(request);
    const answer = await this.invokeRaw(binding, operation, payload, options);
    return answer.length === 0 ? undefined : decode(answer);
  }

  /**
   * The same with bytes.
   * @param {number} binding @param {string} operation @param {Uint8Array} payload
   * @param {InvokeOptions} [options] @returns {Promise<Uint8Array>}
   */
  invokeRaw(binding, operation, payload, { timeoutMs = Infinity, trace = null, signal } = {}) {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      if (!(timeoutMs > 0)) throw timedOut();
      const id = this.#nextId++;
      const endsAt = performance.now() + timeoutMs;
      /** @type {Invoke["settle"]} */
      const settle = (error, answer = new Uint8Array()) => {
        if (!this.#queued.delete(id) && !this.#sent.delete(id)) return;
        clearTimeout(timer);
        signal?.removeEventListener("abort", abandon);
        if (error) reject(error);
        else resolve(answer);
        this.#sendQueued();
      };
      const send = () => {
        // From now on the host sees to its time.
        clearTimeout(timer);
        const left = Math.max(1, Math.ceil(endsAt - performance.now()));
        const deadlineMs = Number.isSafeInteger(left) ? left : null;
        this.#connection.send({ t: "invoke", id, binding, operation, payload, deadlineMs, trace });
      };
      const abandon = () => {
        if (this.#sent.has(id)) quietly(() => this.#connection.send({ t: "cancel", id }));
        reject(signal?.reason);
        settle(undefined);
      };
      const timer = setTimeout(() => settle(timedOut()), Math.min(timeoutMs, TIMER_MS_MAX));
      signal?.addEventListener("abort", abandon);
      this.#queued.set(id, { send, settle });
      this.#sendQueued();
    });
  }

  /** An answer came. @internal @param {Frame} frame */
  answered({ id, payload, error }) {
    const failure = error && new ProviderError(String(error.code), String(error.message));
    this.#sent.get(id)?.settle(failure, payload);
  }

  /** No answer can come any more. @internal */
  ended() {
    const all = [...this.#queued.values(), ...this.#sent.values()];
    all.forEach(({ settle }) => settle(hostIsGone()));
  }

  #sendQueued() {
    for (const [id, invoke] of this.#queued) {
      if (this.#sent.size >= this.#permits) return;
      this.#queued.delete(id);
      this.#sent.set(id, invoke);
      try {
        invoke.send();
      } catch (error) {
        invoke.settle(error);
      }
    }
  }

  /** @param {string} level */
  #writer(level) {
    return (/** @type {unknown[]} */ ...message) => {
      this.#lostLines += 1;
      if (this.#connection.backlog > LOG_BACKLOG_BYTES) return;
      const lost = this.#lostLines > 1 ? `(${this.#lostLines - 1} before this are lost) ` : "";
      this.#lostLines = 0;
      const text = lost + fitting(format(...message));
      // A line must not be what ends the work it tells of.
      quietly(() => this.#connection.send({ t: "log", level, message: text }));
    };
  }
}

// ---------------------------------------------------------------------------------------- session

/** One connection to a host, and the provider made for it. Ends the process with it. */
class Session {
  #definition;
  #connection;
  #defaults;
  /** @type {Host | undefined} */
  #host;
  /** @type {Provider | undefined} */
  #provider;
  /** @type {Map<number, Binding>} */
  #bindings = new Map();
  /** @type {Map<number, AbortController>} What is being done for the host, by its ids. */
  #underWay = new Map();
  #stopping = new AbortController();
  #idle = () => {};
  #exitCode = 0;

  /** @param {Definition} definition @param {Connection} connection */
  constructor(definition, connection) {
    this.#definition = definition;
    this.#connection = connection;
    const defaults = (definition.settings ?? []).map((setting) => [setting.key, setting.default]);
    this.#defaults = Object.fromEntries(defaults);
  }

  /** Serves the host until it says so or is gone. @param {string} token */
  async serve(token) {
    try {
      this.#connection.send(helloOf(this.#definition, token), HELLO_BYTES_MAX);
      for await (const frame of this.#connection.frames()) this.#take(frame);
    } catch (error) {
      complain(`the connection to the host: ${messageOf(error)}`);
      this.#exitCode = 1;
    }
    this.#host?.ended();
    this.stop(ORPHAN_GRACE_MS);
  }

  /** Ends within that time. Who says so first has the say. @param {number} graceMs */
  stop(graceMs) {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort();
    void this.#end(Math.min(graceMs, TIMER_MS_MAX));
  }

  /** @param {Frame} frame */
  #take(frame) {
    const { t, id } = frame;
    if (t === "shutdown") this.stop(Number(frame["deadlineMs"]));
    else if (t === "invoked") this.#host?.answered(frame);
    else if (t === "cancel") this.#finished(id)?.abort(isUnwanted());
    else void this.#run(id, (signal) => this.#answer(frame, signal));
  }

  /**
   * Does something for the host, beside everything else, and sends the answer.
   * @param {number} id @param {(signal: AbortSignal) => Promise<Frame>} work
   */
  async #run(id, work) {
    const controller = new AbortController();
    this.#underWay.set(id, controller);
    /** @type {Frame} */
    let answer;
    try {
      answer = await work(controller.signal);
    } catch (thrown) {
      // What an abort throws differs from library to library; why it was aborted does not.
      const error = controller.signal.aborted ? controller.signal.reason : thrown;
      answer = { t: "result", error: failureOf(error) };
      if (!(error instanceof ProviderError)) this.#host?.log.debug(error);
    }
    // Nobody waits for the answer to what was cancelled.
    if (!this.#underWay.has(id)) return;
    try {
      this.#connection.send({ ...answer, id });
    } catch (error) {
      quietly(() => this.#connection.send({ t: "result", id, error: failureOf(error) }));
    }
    this.#finished(id);
  }

  /** @param {number} id */
  #finished(id) {
    const controller = this.#underWay.get(id);
    this.#underWay.delete(id);
    if (this.#underWay.size === 0) this.#idle();
    return controller;
  }

  /** @param {Frame} frame @param {AbortSignal} signal @returns {Promise<Frame>} */
  async #answer(frame, signal) {
    switch (frame["t"]) {
      case "create":
        return this.#create(frame);
      case "check": {
        const problems = await this.#definition.check?.(this.#wanted(frame["wanted"])) ?? [];
        const written = problems.map(({ place, error: { key, sentence, help } }) => (
          { place, error: { key, message: sentence, help } }));
        return { t: "result", problems: written };
      }
      case "bind": {
        const binding = { ...frame["binding"], values: this.#values(frame["binding"].values) };
        await this.#running().bind?.(binding);
        this.#bindings.set(binding.id, binding);
        return { t: "result" };
      }
      case "unbind": {
        const binding = this.#bindings.get(frame["binding"]);
        this.#bindings.delete(frame["binding"]);
        if (binding) await this.#provider?.unbind?.(binding);
        return { t: "result" };
      }
      case "call":
        return { t: "result", payload: await this.#call(frame, signal) };
      default:
        return this.#health();
    }
  }

  /** @param {Frame} frame */
  async #create({ values, invokesMax }) {
    if (this.#provider) throw new ProviderError("E_INTERNAL", "the provider was made already");
    this.#host = new Host(this.#connection, invokesMax, this.#stopping.signal);
    const given = { values: this.#values(values), host: this.#host };
    const provider = await this.#definition.create(given);
    refuseMissingHandlers(this.#definition, provider);
    this.#provider = provider;
    return { t: "ready" };
  }

  /** @param {Frame} frame @param {AbortSignal} signal */
  async #call({ binding: id, operation, payload, deadlineMs, trace = null }, signal) {
    const { operations } = this.#running();
    const binding = this.#bindings.get(id);
    if (!binding) throw new ProviderError("E_NOT_FOUND", `there is no binding ${id}`);
    const contract = this.#definition.contracts.find((it) => (
      it.id === binding.contract || it.aliases?.includes(binding.contract)));
    const handlers = operations[contract?.id ?? ""] ?? {};
    const handler = Object.hasOwn(handlers, operation) ? handlers[operation] : undefined;
    if (!handler) {
      const message = `${binding.contract} has no operation \`${operation}\``;
      throw new ProviderError("E_NOT_FOUND", message);
    }
    const endsAt = performance.now() + Number(deadlineMs);
    return handled(handler, payload, {
      binding, operation, trace, signal,
      get remainingMs() { return Math.max(0, endsAt - performance.now()); },
    });
  }

  async #health() {
    const provider = this.#running();
    const degraded = await provider.health?.();
    const samples = await provider.samples?.() ?? [];
    return {
      t: "healthy",
      degraded: degraded ? fitting(degraded) : null,
      addresses: await provider.addresses?.() ?? [],
      samples: samples.map(readable),
    };
  }

  #running() {
    if (this.#stopping.signal.aborted) throw isEnding();
    if (this.#provider) return this.#provider;
    throw new ProviderError("E_STOPPING", "the provider was not made yet");
  }

  /** @param {Record<string, string>} texts */
  #values(texts) { return new Values(texts, this.#defaults); }

  /** @param {Frame} given @returns {Wanted} */
  #wanted({ provider = "", values, bindings, hostAddresses = [], beside = [] }) {
    return {
      provider,
      values: this.#values(values),
      bindings: bindings.map((/** @type {Frame} */ it) => (
        { ...it, values: this.#values(it["values"]) })),
      hostAddresses,
      beside: beside.map((/** @type {Frame} */ it) => this.#wanted(it)),
    };
  }

  /** Lets what is under way finish, then the provider, all in that time. @param {number} graceMs */
  async #end(graceMs) {
    const endsAt = performance.now() + graceMs;
    /** @type {Promise<void>} */
    const idle = new Promise((resolve) => { this.#idle = resolve; });
    if (this.#underWay.size > 0) await Promise.race([idle, sleep(graceMs * SHARE_OF_CALLS)]);
    for (const controller of this.#underWay.values()) controller.abort(isEnding());
    await sleep(0); // Those that end then can still be answered.
    const leftMs = Math.max(0, endsAt - performance.now());
    const shutDown = async () => this.#provider?.shutdown?.(leftMs);
    await Promise.race([shutDown(), sleep(leftMs)]).catch((error) => (
      complain(`the provider did not shut down well: ${messageOf(error)}`)));
    await Promise.race([this.#connection.end(), sleep(LAST_WORDS_MS)]).catch(() => {});
    process.exit(this.#exitCode);
  }
}

/** @param {Handler | { raw: RawHandler }} handler @param {Uint8Array} payload @param {Call} call */
async function handled(handler, payload, call) {
  if (typeof handler !== "function") return handler.raw(payload, call);
  const request = payload.length === 0 ? {} : decode(payload);
  if (!isMap(request)) {
    throw new ProviderError("E_MESSAGE", "the message cannot be decoded: expected a map");
  }
  const reply = await handler(request, call);
  return reply === undefined ? new Uint8Array() : encode(reply);
}

/** As the host reads it: it would hang up on a count that is none. @param {Sample} sample */
function readable({ name, help, unit = null, labels = {}, value }) {
  const counts = "histogram" in value ? value.histogram.buckets.map(([, count]) => count)
    : Object.values(value);
  const isRight = counts.every((it) => Number.isSafeInteger(it) && (it >= 0 || "gauge" in value));
  if (!isRight) throw new RangeError(`the sample \`${name}\` cannot be ${counts}`);
  return { name, help, unit, labels: Object.entries(labels), value };
}

/** @param {Definition} definition @param {string} token */
function helloOf({ name, version, doc, contracts, settings = [], ...rest }, token) {
  const { stateful = false, check } = rest;
  const descriptor = {
    name,
    version,
    doc,
    contracts: contracts.map(({ id, aliases = [], operations }) => ({
      id, aliases, operations: operations.map((it) => ({ direction: "to_provider", ...it })),
    })),
    settings: settings.map((it) => ({ default: null, exclusive: false, plain: false, ...it })),
    stateful,
  };
  return { t: "hello", token, protocol: 1, checks: check !== undefined, descriptor };
}

/**
 * A misspelled handler shows at the start and not at the first call.
 * @param {Definition} definition @param {Provider} provider
 */
function refuseMissingHandlers({ contracts }, { operations }) {
  for (const { id, operations: declared } of contracts) {
    const missing = declared.find(({ name, direction }) => (
      direction !== "to_actor" && !Object.hasOwn(operations[id] ?? {}, name)));
    if (missing === undefined) continue;
    const message = `the provider has no handler for \`${missing.name}\` of ${id}`;
    throw new ProviderError("E_INTERNAL", message);
  }
}

/**
 * Runs a provider for the host that started this process: the whole `main` of such a program. It
 * ends the process, with code 0 when the host said so.
 * @param {Definition} definition @returns {Promise<never>}
 */
export async function serve(definition) {
  const { TRELLIS_PROVIDER_SOCKET: path, TRELLIS_PROVIDER_TOKEN: token } = process.env;
  if (path === undefined || token === undefined) {
    complain(`\`${definition.name}\` is a provider, which a Trellis host starts; name this program `
      + "under `providers` in a manifest: `- process: PATH`");
    process.exit(2);
  }
  // When the host is gone, nobody reads these: that is no reason to end otherwise than in order.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  const session = new Session(definition, new Connection(connect(path)));
  process.on("SIGTERM", () => session.stop(ORPHAN_GRACE_MS));
  await session.serve(token);
  // The session ends the process.
  return new Promise(() => {});
}
