import { describe, expect, it } from "vitest";
import { GUARDS } from "../../model/state.ts";
import { caughtAtRandom } from "./checks.ts";
import { CODE_DOUBLES, DOUBLES, loadDouble, NO_VERIFY_MERGING, WITHOUT_DOUBLE } from "./doubles.ts";

describe("a broken double of the protocol is caught by random lockstep", () => {
  for (const double of [...DOUBLES, ...CODE_DOUBLES, NO_VERIFY_MERGING]) {
    const { guard, gone, scope, caughtBy } = double;
    if (typeof scope !== "string") continue;
    it(`${guard}: without "${gone}"`, async () => {
      const { message, programs } = await caughtAtRandom(scope, await loadDouble(double));
      expect(message, "no program caught it").toMatch(caughtBy);
      console.log(`twin ${guard}: caught in program ${programs} by ${message.split(":")[0]}`);
    });
  }

  it("covers every guard of the specification, or says why not", () => {
    const covered = [...DOUBLES.map(({ guard }) => guard), ...Object.keys(WITHOUT_DOUBLE)].sort();
    expect(covered).toEqual([...GUARDS].sort());
  });
});
