/** The options of `npm run storm`. */

import { readArgs, UsageError, whole } from "../support/cliOptions.ts";
import { MOST_FILES } from "./board.mjs";
import { NICER } from "./run.ts";

export interface StormCommand {
  readonly signals: number;
  readonly processes: number;
  readonly files: number;
  readonly seed: number;
  /** How much nicer those are that run than those that are being started. */
  readonly nicer: number;
  /** A small disk of its own, in a mount namespace of its own; or a directory that is there. */
  readonly disk: string;
  /** The path of a built double; undefined: the built package. */
  readonly library: string | undefined;
  readonly json: boolean;
  readonly keep: boolean;
  readonly help: boolean;
}

/** Disks that the command makes, small enough to be filled. */
export const SMALL_DISKS: readonly string[] = ["tmpfs", "ext4"];

export const USAGE: string = `npm run storm -- [options]
  --signals N    SIGKILLs and SIGSTOPs, at least so many (default 1,000; with --deep 100,000)
  --processes P  at any time (default 16)
  --files F      session files, 1 to ${MOST_FILES} (default 4)
  --nicer N      how much nicer those that run are than those that are being started (default ${NICER}; at 19 they get next to nothing done,
                 and the dead leave more than is swept)
  --seed S       of what is asked for, whom it hits, after how long (default: random, printed). Timing does not replay
  --disk DISK    ${SMALL_DISKS.join(" or ")}: a small one of its own, which is filled now and then (needs root);
                 or a directory, on whose disk nothing is filled (default: tmpfs if possible, else a temporary directory)
  --library FILE the entry of a built double, instead of the built package
  --deep         10^5 signals
  --keep         keeps what the witnesses wrote; otherwise only after a failure
  --json         prints the report as JSON
  --help`;

const SIGNALS = { usual: 1_000, deep: 100_000 } as const;

/** @throws UsageError for unknown options and absurd values. */
export function readStormOptions(args: readonly string[], usualDisk: string): StormCommand {
  const values = readArgs(args, OPTIONS);
  const fallback = values.deep === true ? SIGNALS.deep : SIGNALS.usual;
  const random = Math.floor(Math.random() * 1e6);
  if (values.disk === "" || values.library === "") throw new UsageError("a path must not be empty");
  return {
    signals: whole("--signals", values.signals, { fallback, from: 1, to: 100_000_000 }),
    processes: whole("--processes", values.processes, { fallback: 16, from: 2, to: 200 }),
    files: whole("--files", values.files, { fallback: 4, from: 1, to: MOST_FILES }),
    nicer: whole("--nicer", values.nicer, { fallback: NICER, from: 0, to: 19 }),
    seed: whole("--seed", values.seed, { fallback: random, from: 0, to: 2 ** 31 }),
    disk: values.disk ?? usualDisk,
    library: values.library,
    json: values.json === true,
    keep: values.keep === true,
    help: values.help === true,
  };
}

const OPTIONS = {
  signals: { type: "string" },
  processes: { type: "string" },
  files: { type: "string" },
  nicer: { type: "string" },
  seed: { type: "string" },
  disk: { type: "string" },
  library: { type: "string" },
  deep: { type: "boolean" },
  keep: { type: "boolean" },
  json: { type: "boolean" },
  help: { type: "boolean" },
} as const;
