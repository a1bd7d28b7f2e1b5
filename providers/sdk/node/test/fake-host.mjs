// A host for the tests: a real socket, and the provider as a real process. Its frames are written
// with the MessagePack library alone, so that a mistake of the SDK's own codec shows.

import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as msgpack from "@msgpack/msgpack";

/** @typedef {Record<string, any>} Fields */

export const BINDING = {
  id: 7, actor: "MACTOR", actorName: "actor", contract: "test:things", name: "default",
  payloadBytesMax: 1 << 20, values: {},
};

/** @param {unknown} value */
export const pack = (value) => msgpack.encode(value);
/** @param {Uint8Array} bytes @returns {any} */
export const unpack = (bytes) => msgpack.decode(Uint8Array.from(bytes));

/** @param {Uint8Array} body */
export function framed(body) {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

/**
 * @param {string} operation @param {Uint8Array} payload @param {Fields} [more] @returns {Fields}
 */
export function callOf(operation, payload, more) {
  return { t: "call", binding: 7, operation, payload, deadlineMs: 9_000, trace: null, ...more };
}

export class FakeHost {
  /** @type {Fields[]} Frames that nobody took yet. */
  #frames = [];
  /** Has as many listeners as there are answers to wait for. */
  #news = new EventEmitter().setMaxListeners(0);
  #nextId = 100;
  stdout = "";
  stderr = "";

  /**
   * @param {import("node:child_process").ChildProcessByStdio<null, any, any>} process
   * @param {import("node:net").Socket} socket
   */
  constructor(process, socket) {
    this.process = process;
    this.socket = socket;
    process.stdout.on("data", (/** @type {Buffer} */ text) => (this.stdout += text));
    process.stderr.on("data", (/** @type {Buffer} */ text) => (this.stderr += text));
    /** @type {Promise<[number | null, string | null]>} The code and the signal it ended with. */
    this.exit = /** @type {any} */ (once(process, "close"));
    socket.on("error", () => {});
    socket.on("close", () => this.#news.emit("news"));
    let bytes = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      for (;;) {
        const end = bytes.length < 4 ? Infinity : 4 + bytes.readUInt32BE();
        if (bytes.length < end) break;
        this.#frames.push(/** @type {Fields} */ (msgpack.decode(bytes.subarray(4, end))));
        bytes = bytes.subarray(end);
      }
      this.#news.emit("news");
    });
  }

  /**
   * Starts a program and waits until it is connected. It ends with the test at the latest.
   * @param {import("node:test").TestContext} t
   * @param {string[]} command Arguments of `node`.
   */
  static async start(t, ...command) {
    const folder = mkdtempSync(join(tmpdir(), "trellis-"));
    const path = join(folder, "socket");
    const server = createServer().listen(path);
    await once(server, "listening");
    const variables = { TRELLIS_PROVIDER_SOCKET: path, TRELLIS_PROVIDER_TOKEN: "secret" };
    const child = spawn(process.execPath, command, {
      env: { PATH: process.env["PATH"], ...variables }, stdio: ["ignore", "pipe", "pipe"],
    });
    const [socket] = await once(server, "connection");
    const host = new FakeHost(child, socket);
    t.after(async () => {
      child.kill("SIGKILL");
      await host.exit;
      socket.destroy();
      server.close();
      rmSync(folder, { recursive: true });
    });
    return host;
  }

  /** @param {Fields} frame */
  send(frame) {
    this.socket.write(framed(msgpack.encode(frame)));
  }

  /** Sends a request and waits for its answer. @param {Fields} frame */
  ask(frame) {
    const id = this.#nextId++;
    this.send({ id, ...frame });
    return this.take((it) => it["id"] === id && it["t"] !== "invoke" && it["t"] !== "cancel");
  }

  /** Has the provider made, with two permits, and binds it. @param {Fields} [more] */
  async bind(more) {
    await this.next("hello");
    await this.ask({ t: "create", values: {}, invokesMax: 2 });
    await this.ask({ t: "bind", binding: { ...BINDING, ...more } });
  }

  /**
   * Calls an operation; gives the decoded answer, or the failure.
   * @param {string} operation @param {unknown} [request] @param {Fields} [more]
   */
  async call(operation, request, more) {
    const payload = request === undefined ? new Uint8Array() : pack(request);
    const { error, payload: answer } = await this.ask(callOf(operation, payload, more));
    if (error) return { error };
    return answer.length === 0 ? undefined : unpack(answer);
  }

  /** The next frame of that kind. @param {string} t */
  next(t) {
    return this.take((frame) => frame["t"] === t);
  }

  /** The first frame that fits, now or later. @param {(frame: Fields) => boolean} fits */
  async take(fits) {
    for (;;) {
      const index = this.#frames.findIndex(fits);
      const [frame] = index < 0 ? [] : this.#frames.splice(index, 1);
      if (frame) return frame;
      if (this.socket.destroyed) throw new Error(`it hung up; stderr: ${this.stderr}`);
      await once(this.#news, "news");
    }
  }

  /** Frames of that kind that came and were not taken. @param {string} t */
  waiting(t) {
    return this.#frames.filter((frame) => frame["t"] === t);
  }

  /** Ends the provider and waits for it. */
  async stop() {
    this.send({ t: "shutdown", deadlineMs: 1_000 });
    return this.exit;
  }
}
