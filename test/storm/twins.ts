/** Broken code, in a storm: each must be caught by the check of its name. */

import type { LibraryDouble } from "../process/support/library.ts";
import { doubleOf } from "../twins/doubles.ts";
import type { Check } from "./judge.ts";

export interface StormTwin {
  readonly double: LibraryDouble;
  readonly gone: string;
  readonly caughtBy: Check;
  /** Mostly it takes far fewer: it ends at the first thing that is wrong. */
  readonly signals: number;
  /** What needs a rare moment takes too long for the gate. */
  readonly deep: boolean;
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
    deep: false,
  },
  {
    double: {
      name: "EvictByPathStorm",
      file: "protocol.ts",
      // As on a disk that is not known to be local: in one turn the moment between Look and Evict is too short.
      patches: [["atOnce: entry.local", "atOnce: false"], ...doubleOf("EvictByPath").patches],
    },
    gone: "an eviction is by name",
    caughtBy: "marker",
    signals: 20_000,
    deep: true,
  },
  {
    double: {
      name: "NoSweepStorm",
      file: "sweep.ts",
      patches: [["  if (swept.has(directory)) return;", "  if (owners !== undefined) return;"]],
    },
    gone: "what the dead left is swept",
    caughtBy: "leftovers",
    signals: 40,
    deep: false,
  },
];
