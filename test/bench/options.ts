/** The options of `npm run bench`. */

import { tmpdir } from "node:os";
import { readArgs, UsageError, whole } from "../support/cliOptions.ts";
import { BROKEN, LOCKS } from "./locks.ts";
import { MEASURES } from "./measures.ts";

export interface BenchOptions {
  /** Names of measures. */
  readonly only: readonly string[];
  /** Names of locks; ours and the floor are always among them. */
  readonly locks: readonly string[];
  readonly rounds: number;
  readonly seed: number;
  /** Where the files are. */
  readonly disk: string;
  readonly quick: boolean;
  readonly json: boolean;
  readonly write: boolean;
  /** Writes what was measured on a busy machine too; the pages say which that is. */
  readonly disturbed: boolean;
  readonly help: boolean;
}

const NAMES = MEASURES.map(({ name }) => name);

export const USAGE: string = `npm run bench -- [options]
  --only NAMES   some measures, with commas between: ${NAMES.join(", ")}
  --locks NAMES  beside ours and the floor only these: ${LOCKS.map(({ name }) => name).join(", ")}
  --rounds N     of each measure, interleaved over the locks (default 3)
  --seed N       of the order of the locks in each round, and of pauses (default: random, printed)
  --disk DIR     where the files are (default: the directory for temporary files)
  --quick        one short round, to see that it works: no figures to quote
  --json         prints the report as JSON
  --write        writes the figures into test/bench/results.json, spec/bench.md, README.md and the chart;
                 with --only those of these measures, and the others stay
  --disturbed    writes what was measured while others had more than a tenth of the CPU too, and says so there`;

/** @throws UsageError for unknown options and absurd values. */
export function readBenchOptions(args: readonly string[]): BenchOptions {
  const values = readArgs(args, OPTIONS);
  const quick = values.quick === true;
  const known = [...LOCKS, BROKEN].map(({ name }) => name);
  const only = names("--only", values.only, NAMES, NAMES);
  const locks = names(
    "--locks",
    values.locks,
    known,
    LOCKS.map(({ name }) => name),
  );
  const write = values.write === true;
  if (write && (quick || values.locks !== undefined)) {
    throw new UsageError("--write keeps figures to quote, of all locks: without --quick and --locks");
  }
  return {
    only,
    locks: [...new Set(["floor", "ours", ...locks])],
    rounds: whole("--rounds", values.rounds, { fallback: quick ? 1 : 3, from: 1, to: 100 }),
    seed: whole("--seed", values.seed, {
      fallback: Math.floor(Math.random() * 1e6),
      from: 0,
      to: 2 ** 32 - 1,
    }),
    disk: values.disk ?? tmpdir(),
    quick,
    json: values.json === true,
    write,
    disturbed: values.disturbed === true,
    help: values.help === true,
  };
}

function names(
  option: string,
  text: string | undefined,
  known: readonly string[],
  fallback: readonly string[],
): readonly string[] {
  if (text === undefined) return fallback;
  const given = text.split(",");
  const strange = given.find((name) => !known.includes(name));
  if (strange === undefined) return given;
  throw new UsageError(`${option} knows ${known.join(", ")}, not ${JSON.stringify(strange)}`);
}

const OPTIONS = {
  only: { type: "string" },
  locks: { type: "string" },
  rounds: { type: "string" },
  seed: { type: "string" },
  disk: { type: "string" },
  quick: { type: "boolean" },
  json: { type: "boolean" },
  write: { type: "boolean" },
  disturbed: { type: "boolean" },
  help: { type: "boolean" },
} as const;
