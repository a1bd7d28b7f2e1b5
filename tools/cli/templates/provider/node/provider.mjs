#!/usr/bin/env node
// A provider of the contract `demo:new_name`, which `contract.wit` describes.

import { pathToFileURL } from "node:url";

import { ProviderError, ValueError, problemsOf, serve } from "./trellis-provider.mjs";

/** Reads the values: called by `check` before anything runs, and by `create`. */
export function wordOf(/** @type {import("./trellis-provider.mjs").Values} */ values) {
  const word = values.text("WORD") ?? "";
  if (!/^\p{Letter}+$/u.test(word)) throw new ValueError("WORD", "WORD must be one word of letters");
  return word;
}

/** @type {import("./trellis-provider.mjs").Definition} */
export const definition = {
  name: "new-name",
  version: "0.1.0",
  doc: "Greets.",
  contracts: [
    { id: "demo:new_name", operations: [{ name: "Greet", doc: "Greets somebody." }] },
  ],
  settings: [
    { key: "WORD", scope: "provider", kind: "text", default: "Hello", doc: "The first word." },
  ],
  check: (wanted) => problemsOf(wanted, wordOf),
  create({ values }) {
    const word = wordOf(values);
    return {
      operations: {
        "demo:new_name": {
          Greet({ name }) {
            if (typeof name !== "string") {
              throw new ProviderError("E_MESSAGE", "`name` must be text");
            }
            if (name === "") throw new ProviderError("E_NOT_FOUND", "nobody has an empty name");
            return { text: `${word}, ${name}!` };
          },
        },
      },
    };
  },
};

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await serve(definition);
