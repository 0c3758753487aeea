/** Broken code, in real processes: the trace that it leaves is no behaviour of the model. */

import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import type { Guard } from "../../model/state.ts";
import { buildDouble, type LibraryDouble } from "../process/support/library.ts";
import { DOUBLES } from "../twins/doubles.ts";
import { checkTrace } from "./check.ts";
import { recordRun, SEED } from "./fixture.ts";

interface Broken {
  readonly double: LibraryDouble;
  readonly gone: string;
  readonly noticedAt: RegExp;
  readonly local: boolean;
}

/** A double of lockstep, as a library. */
function guarded(guard: Guard, noticedAt: RegExp, { local }: { readonly local: boolean }): Broken {
  const double = DOUBLES.find((candidate) => candidate.guard === guard);
  if (double === undefined) throw new Error(`there is no double without ${guard}`);
  const { gone, patches } = double;
  return { double: { name: `${guard}Stress`, file: "protocol.ts", patches }, gone, noticedAt, local };
}

const BROKEN: readonly Broken[] = [
  guarded("LifoQueue", /knows .*\n {2}queue: model/, { local: true }),
  // On a local disk the first Take is made at once: nobody gives up while it is in flight.
  guarded("PassSlotInFlight", /knows .*\n {2}contender: model/, { local: false }),
  guarded("ContendWhileReleasing", /knows .*\n {2}contender: model/, { local: false }),
  {
    // Of the protocol alone: a sweep that takes everybody for dead would be first, and seen by its victims.
    double: {
      name: "EveryoneIsDeadStress",
      file: "protocol.ts",
      patches: [['verdict !== "dead" && verdict !== "lapsed"', 'verdict !== "dead" && verdict === "lapsed"']],
    },
    gone: "only the dead are evicted",
    noticedAt: /Then: Judge of/,
    local: true,
  },
  {
    double: {
      name: "ForgottenReleaseStress",
      file: "protocol.ts",
      patches: [
        [
          "  entry.services.drive(leaveDisk(entry, settled), entry.tracer);",
          "  entry.releasing = null;\n  settled(undefined);",
        ],
      ],
    },
    gone: "a release goes to the disk",
    noticedAt: /Then: (Release of|\w+ knows)/,
    local: true,
  },
];

describe(`broken code leaves a trace that is refused, seed ${SEED}`, () => {
  for (const { double, gone, noticedAt, local } of BROKEN) {
    it(`without: ${gone}`, async () => {
      const library = pathToFileURL(buildDouble(double)).href;
      // What goes wrong in the processes besides is no matter here.
      const run = await recordRun(
        { processes: 2, tasks: 3, local },
        { steps: 1_500, library, endsWithinMs: 5_000 },
      );
      try {
        expect(checkTrace(run.trace).refusal).toMatch(noticedAt);
      } finally {
        run.remove();
      }
    });
  }
});
