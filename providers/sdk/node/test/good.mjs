// The provider that the host's own tests start, with an operation for what can go wrong in one. Each
// SDK has one; they must behave alike. `node --test` runs every file of this folder; only when a
// host starts it is this one a provider.

import { readFile } from "node:fs/promises";

import { ProviderError, ValueError, problemsOf, serve } from "../trellis-provider.mjs";

const NAMES = [
  "Echo", "Greet", "Sleep", "Cancelled", "Panic", "Fail", "Fill", "Read", "Hang", "Exit", "Invoke",
];

/** @param {import("../trellis-provider.mjs").Values} values */
function greetingOf(values) {
  const greeting = values.text("GREETING");
  if (greeting === "wrong") throw new ValueError("GREETING", "GREETING is\nwrong", "greet");
  return greeting ?? "";
}

/** @type {Promise<never>} */
const never = new Promise(() => {});
const text = (/** @type {Uint8Array} */ payload) => new TextDecoder().decode(payload);
const bytes = (/** @type {unknown} */ value) => new TextEncoder().encode(String(value));

/** @type {import("../trellis-provider.mjs").Definition} */
const good = {
  name: "good",
  version: "1.0.0",
  doc: "For tests.",
  contracts: [{ id: "test:good", operations: NAMES.map((name) => ({ name, doc: "Does it." })) }],
  settings: [{ key: "GREETING", scope: "both", kind: "text", doc: "A greeting." }],
  check: (wanted) => problemsOf(wanted, greetingOf),
  create({ host }) {
    /** @type {Map<number, string>} */
    const greetings = new Map();
    let cancelled = 0;

    /** @type {Record<string, import("../trellis-provider.mjs").RawHandler>} */
    const handlers = {
      Echo: (payload) => payload,
      Greet: (_, { binding }) => bytes(greetings.get(binding.id)),
      Sleep: (payload, { signal }) => new Promise((resolve, reject) => {
        const timer = setTimeout(() => resolve(payload), Number(text(payload)));
        signal.addEventListener("abort", () => {
          cancelled += 1;
          clearTimeout(timer);
          reject(new Error("nobody waits"));
        });
      }),
      Cancelled: () => bytes(cancelled),
      Panic: () => { throw new TypeError("as it was asked to"); },
      Fail: (payload) => { throw new ProviderError("E_NOT_FOUND", text(payload)); },
      Fill: (payload) => new Uint8Array(Number(text(payload))).fill(120),
      Read: async (payload) => readFile(text(payload)),
      Hang: () => { process.kill(process.pid, "SIGSTOP"); return never; },
      Exit: () => { process.kill(process.pid, "SIGKILL"); return never; },
      Invoke: (payload, { binding }) => host.invokeRaw(binding.id, "Double", payload),
    };
    const raw = Object.entries(handlers).map(([name, handler]) => [name, { raw: handler }]);
    return {
      operations: { "test:good": Object.fromEntries(raw) },
      bind(binding) {
        if (binding.values.text("GREETING") === "wrong") {
          throw new ProviderError("E_CONFIG", "GREETING is wrong");
        }
        greetings.set(binding.id, greetingOf(binding.values));
      },
      unbind: (binding) => greetings.delete(binding.id),
      health: () => "it is a test",
      samples: () => [
        { name: "greetings", help: "Greetings", value: { gauge: greetings.size } },
      ],
    };
  },
};

if (process.env["TRELLIS_PROVIDER_SOCKET"]) await serve(good);
