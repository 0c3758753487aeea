import { describe, expect, it } from "vitest";
import { loadDouble } from "../twins/doubles.ts";
import { MISHANDLINGS } from "./mishandlings.ts";
import { runFaults } from "./run.ts";
import { FAULT_SCOPES } from "./scopes.ts";

// tests G1 G2 G6 G14

describe("code that mishandles an error is caught by fault injection", () => {
  for (const double of MISHANDLINGS) {
    it(`${double.guard}: without "${double.gone}", at "${double.at}"`, async () => {
      const scope = FAULT_SCOPES[double.at];
      if (scope === undefined) throw new Error(`no scope ${double.at}`);
      const { failures, steps } = await runFaults(double.at, scope, await loadDouble(double));
      console.log(`twin ${double.guard}: caught after ${steps} steps by ${failures[0]?.split("\n")[0]}`);
      expect(failures[0]).toMatch(double.caughtBy);
      // By what it makes of a failure, not by anything else.
      expect(failures[0]).toMatch(/\nafter: .* fails/);
      expect(failures[0]).toMatch(/\nReplay: npm run faults -- --scope /);
    });
  }
});
