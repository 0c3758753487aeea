/** The options of `npm run stress`. */

import { tmpdir } from "node:os";
import { readArgs, whole } from "../support/cliOptions.ts";

export interface StressOptions {
  readonly steps: number;
  /** Undefined: rounds of 2 to 6. */
  readonly processes: number | undefined;
  readonly seed: number;
  /** Where the rounds make their directories. */
  readonly disk: string;
  readonly json: boolean;
  readonly keep: boolean;
  /** Checks this trace, and runs nothing. */
  readonly check: string | undefined;
  /** Whether TLC looks at a sample of each kind of disk. */
  readonly tlc: boolean;
}

export const USAGE = `npm run stress -- [options]
  --steps N      checks at least so many steps (default 10,000; with --deep 1,000,000)
  --processes P  in every round (default: rounds of 2 to 6)
  --seed S       of programs, kills and stops (default: random, printed). Timing does not replay: traces do
  --disk DIR     where the rounds run (default: the directory for temporary files)
  --deep         10^6 steps, in larger rounds
  --tlc          TLC follows a sample of a round of each kind, and must not follow it once it is tampered with
  --check DIR    checks the trace of a round again, and runs nothing
  --keep         keeps all traces; otherwise that of a failure
  --json         prints the report as JSON`;

const STEPS = { gate: 10_000, deep: 1_000_000 } as const;

/** @throws UsageError for unknown options and absurd values. */
export function readStressOptions(args: readonly string[]): StressOptions {
  const values = readArgs(args, OPTIONS);
  const fallback = values.deep === true ? STEPS.deep : STEPS.gate;
  const random = Math.floor(Math.random() * 1e6);
  return {
    steps: whole("--steps", values.steps, { fallback, from: 100, to: 100_000_000 }),
    processes:
      values.processes === undefined
        ? undefined
        : whole("--processes", values.processes, { fallback: 2, from: 1, to: 26 }),
    seed: whole("--seed", values.seed, { fallback: random, from: 0, to: 2 ** 31 }),
    disk: values.disk ?? tmpdir(),
    json: values.json === true,
    keep: values.keep === true,
    check: values.check,
    tlc: values.tlc === true,
  };
}

const OPTIONS = {
  steps: { type: "string" },
  processes: { type: "string" },
  seed: { type: "string" },
  disk: { type: "string" },
  check: { type: "string" },
  deep: { type: "boolean" },
  tlc: { type: "boolean" },
  keep: { type: "boolean" },
  json: { type: "boolean" },
} as const;
