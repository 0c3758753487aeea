/**
 * `npm run mutants`: Stryker changes each operator, condition, block and text of a file of src/, and runs the tests
 * that are about that file. The score of each file, against its floor. What survives, and why: spec/kill-matrix.md.
 */

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { isProgram, runProgram, table } from "../../tla/tools/console.ts";
import { ToolError } from "../../tla/tools/toolError.ts";
import { readArgs } from "../support/cliOptions.ts";
import { FILES, type MutatedFile } from "./files.ts";
import { below, type Counts, countsOf, type StrykerReport, scoreOf } from "./score.ts";

const usage = `Usage: npm run mutants -- [--only FILE,..] [--again] [--list]
Mutation testing of src/, file by file. What Stryker learnt is kept in .stryker/, and only what changed is run again.

  --only FILE,..  these files, as src/owner/verdict.ts
  --again         forget what was learnt
  --list          print files, tests and floors, and run nothing

Exit code: 0 no score is below its floor, 1 one is, 2 nothing could be measured.`;

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const reportFile = join(root, ".stryker", "mutants.json");

async function main(args: readonly string[]): Promise<number> {
  const flag = { type: "boolean", default: false } as const;
  const { only, again, list, help } = readArgs(args, {
    only: { type: "string" },
    again: flag,
    list: flag,
    help: flag,
  });
  if (help === true) return say(usage);
  const files = select(only);
  if (list === true) {
    return say(files.map(({ file, tests, floor }) => `${file}: ${floor} %, ${tests.join(" ")}`).join("\n"));
  }
  const found = files.map((one) => ({ ...one, counts: measure(one, again === true) }));
  say(table(HEADER, found.map(row)));
  const problems = found.flatMap((one) => below(one.file, one.counts, one.floor));
  for (const problem of problems) say(`FAILED ${problem}`);
  return problems.length === 0 ? 0 : 1;
}

const say = (text: string): number => {
  console.log(text);
  return 0;
};

function select(only: string | undefined): readonly MutatedFile[] {
  const wanted = only?.split(",");
  const unknown = wanted?.find((name) => !FILES.some(({ file }) => file === name));
  if (unknown !== undefined) {
    const all = FILES.map(({ file }) => file).join(", ");
    throw new ToolError(
      `find "${unknown}"`,
      "it is not among the files that are mutated",
      `There are: ${all}.`,
    );
  }
  return FILES.filter(({ file }) => wanted === undefined || wanted.includes(file));
}

function measure({ file, tests, hangMs }: MutatedFile, again: boolean): Counts {
  const memory = join(".stryker", `${file.replaceAll("/", "-")}.json`);
  const options = [
    "--mutate",
    file,
    "--incremental",
    "--incrementalFile",
    memory,
    ...(again ? ["--force"] : []),
  ];
  const env = {
    ...process.env,
    SWL_MUTANTS_TESTS: tests.join(";"),
    ...(hangMs === undefined ? {} : { SWL_MUTANTS_HANG_MS: String(hangMs) }),
  };
  // An old report must not pass for this one.
  fs.rmSync(reportFile, { force: true });
  const { status } = spawnSync("npx", ["stryker", "run", ...options], { cwd: root, env, stdio: "inherit" });
  if (status !== 0 || !fs.existsSync(reportFile)) {
    throw new ToolError(`mutate ${file}`, `Stryker ended with ${status}`, "Its own words are above.");
  }
  return countsOf(JSON.parse(fs.readFileSync(reportFile, "utf8")) as StrykerReport, file);
}

const HEADER = ["file", "mutants", "killed", "timed out", "survived", "not covered", "score", "floor"];

function row({ file, counts, floor }: MutatedFile & { readonly counts: Counts }): readonly string[] {
  const { killed, timedOut, survived, notCovered } = counts;
  const mutants = killed + timedOut + survived + notCovered;
  return [
    file,
    ...[mutants, killed, timedOut, survived, notCovered].map(String),
    scoreOf(counts).toFixed(1),
    floor.toFixed(1),
  ];
}

if (isProgram(import.meta.url)) await runProgram(() => main(process.argv.slice(2)));
