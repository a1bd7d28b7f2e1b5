// A provider that does what the tests need. `node --test` runs every file of this folder; only with
// an argument is this one a provider.

import {
  Float64, ProviderError, ValueError, problemsOf, serve,
} from "../trellis-provider.mjs";

/** @typedef {import("../trellis-provider.mjs").Definition} Definition */
/** @typedef {import("../trellis-provider.mjs").Operation} Operation */

const NAMES = [
  "Echo", "Raw", "Nothing", "About", "Hang", "Throw", "Refuse", "Big", "Numbers", "Ask", "AskMany",
  "Say",
];
/** @type {Operation[]} */
const operations = NAMES.map((name) => ({ name, doc: `${name}.` }));
const HALF_A_PAIR = "half a pair: \ud800";

/** @param {import("../trellis-provider.mjs").Values} values */
function read(values) {
  const word = values.text("WORD");
  if (word === "wrong") throw new ValueError("WORD", "WORD must be right", "write `right`");
  return { word, limit: values.integer("LIMIT") };
}

/** @type {Definition} */
const definition = {
  name: "fixture",
  version: "1.2.3",
  doc: "Does what tests need.",
  contracts: [{
    id: "test:things",
    aliases: ["old:things"],
    operations: [...operations, { name: "Tell", direction: "to_actor", doc: "Tell." }],
  }],
  settings: [
    { key: "WORD", scope: "both", kind: "text", default: "hello", doc: "A word.", plain: true },
    { key: "LIMIT", scope: "provider", kind: { integer: { min: 0, max: 9 } }, doc: "A limit." },
  ],
  check: (wanted) => problemsOf(wanted, read),
  create({ values, host }) {
    const { word: first } = read(values);
    let refused = 0;
    host.stopping.addEventListener("abort", () => process.stdout.write("stopping\n"));
    return {
      operations: {
        "test:things": {
          Echo: (request) => request,
          Raw: { raw: (payload) => Uint8Array.from(payload).reverse() },
          Nothing: () => {},
          About: (_, { binding, operation, remainingMs, trace }) => {
            const { actorName, contract } = binding;
            const word = binding.values.text("WORD");
            return { actorName, contract, word, first, operation, remainingMs, trace };
          },
          Hang: (_, { signal }) => new Promise((_, reject) => {
            signal.addEventListener("abort", () => {
              host.log.info("aborted");
              reject(new Error("aborted"));
            });
          }),
          Throw: () => { throw new TypeError(HALF_A_PAIR); },
          Refuse: () => {
            refused += 1;
            throw new ProviderError("E_BUSY", "too much to do");
          },
          Big: ({ bytes }) => ({ bytes: new Uint8Array(Number(bytes)) }),
          Numbers: ({ large, small }) => ({
            types: `${typeof large} ${typeof small}`, large, small, float: new Float64(52),
          }),
          async Ask(request, { binding, trace, signal }) {
            const timeoutMs = Number(request["timeoutMs"] ?? 5_000);
            const options = { trace, signal, timeoutMs };
            try {
              return { answer: await host.invoke(binding.id, "Tell", request, options) };
            } catch (error) {
              process.stdout.write(`${error}\n`);
              throw error;
            }
          },
          AskMany: async ({ count }, { binding }) => {
            const numbers = Array.from({ length: Number(count) }, (_, number) => number);
            const answers = await Promise.all(numbers.map((number) => (
              host.invokeRaw(binding.id, "Tell", Uint8Array.of(number)))));
            return { sum: answers.reduce((sum, [answer]) => sum + Number(answer), 0) };
          },
          Say: ({ times }) => {
            host.log.error("an %s", "error");
            host.log.warn("one\ntwo");
            host.log.info(HALF_A_PAIR);
            for (let time = 0; time < Number(times); time += 1) host.log.debug("x".repeat(8_000));
            process.stdout.write(`said ${times}\n`);
          },
        },
      },
      bind: (binding) => read(binding.values),
      unbind: (binding) => host.log.info(`unbound ${binding.id}`),
      health: () => (refused > 0 ? "its server is down" : undefined),
      addresses: () => [{ binding: 7, address: "127.0.0.1:80", url: "http://127.0.0.1:80/" }],
      samples: () => [
        { name: "on", help: "On", unit: "bytes", labels: { a: "b" }, value: { counter: 3 } },
        { name: "level", help: "Level", value: { gauge: refused > 1 ? 0.5 : -2 } },
        {
          name: "time", help: "Time",
          value: { histogram: { buckets: [[0.5, 1], [null, 2]], sum: 1.5 } },
        },
      ],
      shutdown: (graceMs) => { process.stdout.write(`let go: ${graceMs > 0}\n`); },
    };
  },
};

const SERVED = {
  usual: definition,
  incomplete: { ...definition, create: () => ({ operations: { "test:things": {} } }) },
  wordy: { ...definition, doc: "x".repeat(1 << 20) },
};
const served = new Map(Object.entries(SERVED)).get(process.argv[2] ?? "");
if (served) await serve(served);
