import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { mkdirMtime } from "../../model/peers/mkdirMtime.ts";
import { renameAside } from "../../model/peers/renameAside.ts";
import { comparableOf, describeAgainstTlc, describePinned } from "./againstTlc.ts";

const tla = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "tla");
const comparable = comparableOf(["MkdirMtime", "MCMkdirMtime", "RenameAside", "MCRenameAside"]);

describeAgainstTlc(comparable);
describePinned(["MCMkdirMtime", "MCRenameAside"]);

it("compares every configuration of the peers", () => {
  expect(comparable.length).toBe(19);
});

describe("one vocabulary in tla/ and model/peers/", () => {
  it.each([
    ["MkdirMtime", mkdirMtime.actions, mkdirMtime.invariants, mkdirMtime.stepProperties],
    ["RenameAside", renameAside.actions, renameAside.invariants, renameAside.stepProperties],
  ])(
    "%s has the same actions in the same order, and the properties",
    (name, actions, invariants, stepProperties) => {
      const spec = readFileSync(join(tla, `${name}.tla`), "utf8");
      const body = spec.slice(spec.indexOf("(* The actions *)"), spec.indexOf("\nNext =="));
      const defined = [...body.matchAll(/^([A-Z]\w*)(?:\(p\))? ==/gm)].map(([, action]) => action);
      expect(defined).toEqual(actions);
      for (const property of [...invariants, ...stepProperties]) {
        expect(spec, property.name).toMatch(new RegExp(`^${property.name} ==`, "m"));
      }
    },
  );
});
