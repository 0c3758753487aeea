/** Broken code, in a storm: each must be caught by the check of its name. */

import { IN_FLIGHT } from "../process/support/guards.ts";
import type { LibraryDouble } from "../process/support/library.ts";
import { doubleOf } from "../twins/doubles.ts";
import type { Check } from "./judge.ts";

export interface StormTwin {
  readonly double: LibraryDouble;
  readonly gone: string;
  readonly caughtBy: Check;
  /** Mostly it takes far fewer: it ends at the first thing that is wrong. */
  readonly signals: number;
  /** The more wait, the more race for a lock of the dead. */
  readonly processes: number;
}

export const STORM_TWINS: readonly StormTwin[] = [
  {
    double: {
      name: "EveryoneIsDeadStorm",
      file: "protocol.ts",
      patches: [['verdict !== "dead" && verdict !== "lapsed"', 'verdict !== "dead" && verdict === "lapsed"']],
    },
    gone: "only the dead are evicted",
    caughtBy: "marker",
    signals: 1_000,
    processes: 4,
  },
  {
    double: {
      name: "EvictByPathStorm",
      file: "protocol.ts",
      patches: [
        // As on a disk that is not known to be local: in one turn the moment between Look and Evict is too short.
        IN_FLIGHT,
        ...doubleOf("EvictByPath").patches,
        // Two who remove at once are in each other's way: that is not what is to be noticed.
        ["nodeFs.rmSync(entry.lockPath,", "removeAll(entry.lockPath,"],
        [
          "const rename = (",
          "const removeAll: typeof nodeFs.rmSync = (...args) => {\n  try {\n    nodeFs.rmSync(...args);\n  } catch {}\n};\nconst rename = (",
        ],
      ],
    },
    gone: "an eviction is by name",
    caughtBy: "marker",
    signals: 20_000,
    processes: 10,
  },
  {
    double: {
      name: "NoSweepStorm",
      file: "sweep.ts",
      patches: [["  if (swept.has(directory)) return;", "  if (owners !== undefined) return;"]],
    },
    gone: "what the dead left is swept",
    caughtBy: "leftovers",
    signals: 20,
    processes: 4,
  },
];
