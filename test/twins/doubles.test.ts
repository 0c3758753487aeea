import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GUARDS } from "../../model/state.ts";
import { lockstepProperty, MAX_COMMANDS } from "../lockstep/programs.ts";
import { SCOPES } from "../lockstep/scopes.ts";
import { Divergence } from "../lockstep/world.ts";
import { CODE_DOUBLES, DOUBLES, loadDouble, NO_VERIFY_MERGING, WITHOUT_DOUBLE } from "./doubles.ts";

// Enough for the rarest of them ten times over; the seed is fixed, so this is not a matter of luck.
const MOST_PROGRAMS = 3_000;
const SEED = 7;

describe("a broken double of the protocol is caught by random lockstep", () => {
  for (const double of [...DOUBLES, ...CODE_DOUBLES, NO_VERIFY_MERGING]) {
    it(`${double.guard}: without "${double.gone}"`, async () => {
      const config = SCOPES[double.scope];
      if (config === undefined) throw new Error(`no scope ${double.scope}`);
      const property = lockstepProperty(config, await loadDouble(double), MAX_COMMANDS, () => {});
      const details = await fc.check(property, { seed: SEED, numRuns: MOST_PROGRAMS, endOnFailure: true });
      expect(details.failed, "no program caught it").toBe(true);
      expect(details.errorInstance).toBeInstanceOf(Divergence);
      const { message } = details.errorInstance as Divergence;
      expect(message).toMatch(double.caughtBy);
      console.log(`twin ${double.guard}: caught in program ${details.numRuns} by ${message.split(":")[0]}`);
    });
  }

  it("covers every guard of the specification, or says why not", () => {
    const covered = [...DOUBLES.map(({ guard }) => guard), ...Object.keys(WITHOUT_DOUBLE)].sort();
    expect(covered).toEqual([...GUARDS].sort());
  });
});
