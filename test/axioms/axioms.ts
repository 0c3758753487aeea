/**
 * `npm run axioms`: random concurrent calls of real processes on each file system; every history must be explained by
 * the model of the disk (disk.ts, A3).
 */

import { parseArgs } from "node:util";
import { grouped, isProgram, Progress, runProgram, table } from "../../tla/tools/console.ts";
import { ToolError } from "../../tla/tools/toolError.ts";
import { DISKS, type DiskCase, FUSE_DISKS, needsOf } from "../process/support/disks.ts";
import { type Examined, examine, problemOf, STRICTER } from "./examine.ts";
import { BROKEN_PORTS, type Port } from "./record.ts";

const GATE_ROUNDS = 500;
const DEEP_ROUNDS = 20_000;

const usage = `Usage: npm run axioms -- [--disk NAME] [--rounds N | --deep] [--seed N] [--port NAME] [--json]
Real processes call rename, unlink, rmdir, readdir, mkdir and create at once, on each file system.

  --disk NAME   this one only: ${[...DISKS, ...FUSE_DISKS].map(({ type }) => type).join(", ")}
  --rounds N    histories for each (default ${GATE_ROUNDS}); --deep: ${DEEP_ROUNDS}
  --seed N      decides what is called; when, the machine decides (default: random, printed)
  --port NAME   makes one call otherwise, and must be caught: ${BROKEN_PORTS.map((name) => `"${name}"`).join(", ")}
  --json        the results as JSON, on stdout

The last columns: histories that a disk which promises more than A3 would not explain (spec/assumptions.md).
Exit code: 0 all explained, 1 a history that is not, or too little overlap, 2 nothing could be checked.`;

interface Options {
  readonly disks: readonly DiskCase[];
  readonly rounds: number;
  readonly seed: number;
  readonly port: Port;
  readonly json: boolean;
}

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) return 0;
  const progress = new Progress(process.stderr);
  const results: Examined[] = [];
  const notRun: string[] = [];
  for (const disk of options.disks) {
    const missing = needsOf(disk).filter((need) => !need.isMet());
    if (missing.length > 0) {
      notRun.push(`${disk.type}: this machine has not: ${missing.map(({ what }) => what).join(", ")}`);
      continue;
    }
    progress.start(`${disk.type}, seed ${options.seed}, ${options.rounds} rounds`);
    const result = await examine(disk, options);
    results.push(result);
    progress.end(`${disk.type}: ${problemOf(result) ?? "every history is explained"}`);
  }
  if (results.length === 0) {
    throw new ToolError("examine a disk", notRun.join("; "), "Run it as root on Linux.");
  }
  if (options.json) console.log(JSON.stringify({ results, notRun }, undefined, 2));
  else console.log(tableOf(results));
  for (const reason of notRun) console.error(`not run: ${reason}`);
  return results.some((result) => problemOf(result) !== undefined) ? 1 : 0;
}

function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      disk: { type: "string" },
      rounds: { type: "string" },
      seed: { type: "string" },
      port: { type: "string", default: "node" },
      deep: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return undefined;
  }
  const disks = [...DISKS, ...FUSE_DISKS].filter(
    ({ type }) => values.disk === undefined || type === values.disk,
  );
  const rounds = Number(values.rounds ?? (values.deep ? DEEP_ROUNDS : GATE_ROUNDS));
  const seed = Number(values.seed ?? Date.now() & 0x7fffffff);
  if (disks.length === 0) throw new ToolError("run axioms", `there is no disk "${values.disk}"`, usage);
  const port = (["node", ...BROKEN_PORTS] as const).find((name) => name === values.port);
  if (port === undefined) throw new ToolError("run axioms", `there is no port "${values.port}"`, usage);
  if (!(Number.isInteger(rounds) && rounds > 0) || !(Number.isInteger(seed) && seed >= 0)) {
    throw new ToolError("run axioms", "--rounds and --seed are whole numbers", usage);
  }
  return { disks, rounds, seed, port, json: values.json };
}

function tableOf(results: readonly Examined[]): string {
  const header = [
    "disk",
    "histories",
    "calls",
    "overlapping pairs",
    "unexplained",
    ...Object.keys(STRICTER),
    "s",
  ];
  const rows = results.map((result) => [
    result.disk,
    grouped(result.histories),
    grouped(result.calls),
    grouped(result.overlapping),
    grouped(result.unexplained),
    ...Object.values(result.refutes).map(grouped),
    result.seconds.toFixed(1),
  ]);
  return table(header, rows);
}

if (isProgram(import.meta.url)) await runProgram(main);
