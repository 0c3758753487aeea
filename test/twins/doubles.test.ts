import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GUARDS } from "../../model/state.ts";
import { programs, runProgram, withWorld } from "../lockstep/programs.ts";
import { SCOPES } from "../lockstep/scopes.ts";
import { Divergence } from "../lockstep/world.ts";
import { DOUBLES, loadDouble, WITHOUT_DOUBLE } from "./doubles.ts";

// Enough for the rarest of them ten times over; the seed is fixed, so this is not a matter of luck.
const MOST_PROGRAMS = 3_000;
const SEED = 7;

describe("a broken double of the protocol is caught by random lockstep", () => {
  for (const double of DOUBLES) {
    it(`${double.guard}: without "${double.gone}"`, async () => {
      const config = SCOPES[double.scope];
      if (config === undefined) throw new Error(`no scope ${double.scope}`);
      const broken = await loadDouble(double);
      let divergence: Divergence | undefined;
      const property = fc.asyncProperty(fc.scheduler(), programs(config, 60), async (scheduler, commands) => {
        await withWorld(config, broken, async (world) => {
          await runProgram(world, scheduler, commands).catch((error: unknown) => {
            if (!(error instanceof Divergence)) throw error;
            divergence = error;
            throw error;
          });
        });
      });
      const details = await fc.check(property, { seed: SEED, numRuns: MOST_PROGRAMS, endOnFailure: true });
      expect(details.failed, "no program caught it").toBe(true);
      expect(divergence?.message).toMatch(double.caughtBy);
      console.log(
        `twin ${double.guard}: caught in program ${details.numRuns} by ${divergence?.message.split(":")[0]}`,
      );
    });
  }

  it("covers every guard of the specification, or says why not", () => {
    const covered = [...DOUBLES.map(({ guard }) => guard), ...Object.keys(WITHOUT_DOUBLE)].sort();
    expect(covered).toEqual([...GUARDS].sort());
  });
});
