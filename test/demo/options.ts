/** The options of the demo: read strictly, since a mistyped option must not look like a passed check. */

import { readArgs, UsageError, whole } from "../support/cliOptions.ts";

export { UsageError };

export interface DemoOptions {
  readonly seconds: number;
  readonly processes: number;
  readonly killEveryMs: number;
  readonly seed: number;
  readonly withoutLock: boolean;
  readonly keep: boolean;
  readonly json: boolean;
}

export const USAGE = `npm run demo -- [options]
  --seconds N       how long (default 15)
  --processes N     writers at a time (default 8)
  --kill-every MS   mean time between two kills (default 250)
  --seed N          decides whom to kill, and when (default: random, printed)
  --without-lock    the same without the lock: must find damage
  --keep            keep the directory
  --json            print the report as JSON`;

/** @throws UsageError for unknown options and absurd values. */
export function readDemoOptions(args: readonly string[]): DemoOptions {
  const values = readArgs(args, OPTIONS);
  const withoutLock = values["without-lock"] === true;
  // One writer alone damages nothing, whatever it does.
  const fewest = withoutLock ? 2 : 1;
  return {
    seconds: whole("--seconds", values.seconds, { fallback: 15, from: 1, to: 3600 }),
    processes: whole("--processes", values.processes, { fallback: 8, from: fewest, to: 64 }),
    killEveryMs: whole("--kill-every", values["kill-every"], { fallback: 250, from: 10, to: 60_000 }),
    seed: whole("--seed", values.seed, {
      fallback: Math.floor(Math.random() * 1e6),
      from: 0,
      to: 2 ** 32 - 1,
    }),
    withoutLock,
    keep: values.keep === true,
    json: values.json === true,
  };
}

const OPTIONS = {
  seconds: { type: "string" },
  processes: { type: "string" },
  "kill-every": { type: "string" },
  seed: { type: "string" },
  "without-lock": { type: "boolean" },
  keep: { type: "boolean" },
  json: { type: "boolean" },
} as const;
