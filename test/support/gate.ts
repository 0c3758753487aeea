/**
 * `npm run ok`, the one gate: lint, types, tests, TLC, graph equality, the proof, traces of real processes, one after another, each to its end.
 * The numbers of the last line are counted from the machine-readable results: a part that does not give any
 * counts as failed.
 */

import { spawn } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { refuseOptions } from "./cliOptions.ts";
import type { NotRunMeta } from "./notRun.ts";

refuseOptions(
  process.argv.slice(2),
  "npm run ok\nThe gate: all that CI runs, one part after the other. Some 20 minutes.",
);

interface Counts {
  readonly passed: number;
  readonly failed: number;
  /** Not run, and why: never counted as passed. */
  readonly notRun: readonly string[];
  /** What failed, by name: said once more at the end, where whoever reads only the end finds it. */
  readonly failures: readonly string[];
}

interface Part {
  readonly name: string;
  readonly command: readonly string[];
  /** How to count, from what the command printed; by default the command itself is one check. */
  readonly count?: (stdout: string) => Counts;
  /** Machine-readable output is not shown. */
  readonly quiet?: boolean;
}

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const scratch = fs.mkdtempSync(join(tmpdir(), "swl-gate-"));
const vitestResults = join(scratch, "vitest.json");

const PARTS: readonly Part[] = [
  { name: "lint", command: ["npm", "run", "--silent", "lint"] },
  { name: "types", command: ["npm", "run", "--silent", "typecheck"] },
  { name: "build", command: ["npm", "run", "--silent", "build"] },
  {
    name: "tests",
    command: [
      "npx",
      "vitest",
      "run",
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${vitestResults}`,
    ],
    count: () => countTests(JSON.parse(fs.readFileSync(vitestResults, "utf8")) as VitestResults),
  },
  {
    name: "tlc",
    command: ["npm", "run", "--silent", "tlc", "--", "--json"],
    count: (stdout) => countConfigurations(JSON.parse(stdout) as TlcResults),
    quiet: true,
  },
  { name: "graph", command: ["npm", "run", "--silent", "graph"] },
  {
    name: "prove",
    command: ["npm", "run", "--silent", "prove", "--", "--json"],
    count: (stdout) => countRows(JSON.parse(stdout) as ProofResults),
    quiet: true,
  },
  {
    name: "stress",
    command: ["npm", "run", "--silent", "stress", "--", "--tlc", "--json"],
    count: (stdout) => countStress(JSON.parse(stdout) as StressResults),
    quiet: true,
  },
  { name: "findings", command: ["npm", "run", "--silent", "findings", "--", "--check"] },
];

interface VitestResults {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numFailedTestSuites: number;
  readonly testResults: readonly VitestFile[];
}

interface VitestFile {
  readonly name: string;
  readonly status: string;
  readonly message?: string;
  readonly assertionResults: readonly {
    readonly fullName: string;
    readonly status: string;
    readonly failureMessages?: readonly string[];
    readonly meta?: NotRunMeta;
  }[];
}

function countTests(results: VitestResults): Counts {
  const notRun = results.testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => status === "skipped" || status === "pending" || status === "todo")
    .map(({ fullName, meta }) => (meta?.notRun === undefined ? fullName : `${fullName}: ${meta.notRun}`));
  // A file that could not be loaded has no tests to fail, but it has failed.
  const failed = Math.max(results.numFailedTests, results.numFailedTestSuites > 0 ? 1 : 0);
  return {
    passed: results.numPassedTests,
    failed,
    notRun,
    failures: results.testResults.flatMap(failuresOf),
  };
}

function failuresOf({ name, status, message = "", assertionResults }: VitestFile): string[] {
  const failed = assertionResults.filter((test) => test.status === "failed");
  if (failed.length === 0) return status === "failed" ? [`${name}: ${firstLines(message)}`] : [];
  return failed.map(
    ({ fullName, failureMessages = [] }) => `${name}: ${fullName}\n${firstLines(failureMessages.join("\n"))}`,
  );
}

const firstLines = (text: string): string => text.split("\n").slice(0, 30).join("\n");

interface TlcResults {
  readonly results: readonly { readonly name: string; readonly ok: boolean }[];
}

function countConfigurations({ results }: TlcResults): Counts {
  for (const { name, ok } of results) console.log(`  ${ok ? "ok    " : "FAILED"} ${name}`);
  return countChecks(results);
}

interface Check {
  readonly name: string;
  readonly ok: boolean;
}

function countChecks(checks: readonly Check[]): Counts {
  const failures = checks.filter(({ ok }) => !ok).map(({ name }) => name);
  return { passed: checks.length - failures.length, failed: failures.length, notRun: [], failures };
}

interface ProofResults {
  readonly comparisons: readonly { readonly scope: string; readonly ok: boolean }[];
  readonly results: readonly { readonly name: string; readonly ok: boolean; readonly queries: number }[];
  readonly problems: readonly string[];
}

function countRows({ comparisons, results, problems }: ProofResults): Counts {
  // For a frame row nothing is asked: it is no check.
  const counts = countChecks([
    ...comparisons.map(({ scope, ok }) => ({ name: scope, ok })),
    ...results.filter(({ ok, queries }) => queries > 0 || !ok),
  ]);
  // A problem that is no row's is a failure too.
  const failed = Math.max(counts.failed, problems.length);
  return { ...counts, failed, failures: [...counts.failures, ...problems] };
}

interface StressResults {
  readonly seed: number;
  readonly rounds: readonly { readonly steps: number; readonly ok: boolean }[];
  readonly samples: readonly { readonly name: string; readonly ok: boolean }[];
}

/** A round is a check, and so is each question to TLC. */
function countStress({ seed, rounds, samples }: StressResults): Counts {
  const checks = [
    ...rounds.map(({ steps, ok }) => ({ name: `${steps} steps, seed ${seed}`, ok })),
    ...samples,
  ];
  for (const { name, ok } of checks) console.log(`  ${ok ? "ok    " : "FAILED"} ${name}`);
  return countChecks(checks);
}

async function main(): Promise<number> {
  const rows: { name: string; seconds: number; counts: Counts }[] = [];
  for (const part of PARTS) {
    console.log(`\n== ${part.name}: ${part.command.join(" ")}`);
    const started = performance.now();
    const counts = await runPart(part);
    rows.push({ name: part.name, seconds: (performance.now() - started) / 1000, counts });
  }
  fs.rmSync(scratch, { recursive: true, force: true });
  console.log("");
  for (const { name, seconds, counts } of rows) {
    console.log(
      `${name.padEnd(6)} ${counts.passed} passed, ${counts.failed} failed in ${seconds.toFixed(1)} s`,
    );
  }
  for (const name of rows.flatMap(({ counts }) => counts.notRun)) console.log(`not run: ${name}`);
  for (const { name, counts } of rows) {
    for (const failure of counts.failures) console.log(`FAILED (${name}): ${failure}`);
  }
  const sum = (key: "passed" | "failed"): number =>
    rows.reduce((total, { counts }) => total + counts[key], 0);
  console.log(`${sum("passed")} passed, ${sum("failed")} failed`);
  return sum("failed") === 0 && sum("passed") > 0 ? 0 : 1;
}

async function runPart({ command, count, quiet }: Part): Promise<Counts> {
  const { code, stdout } = await run(command, quiet === true);
  if (count === undefined) return countChecks([{ name: command.join(" "), ok: code === 0 }]);
  try {
    const counts = count(stdout);
    const silent = code !== 0 && counts.failed === 0;
    const empty = counts.passed + counts.failed === 0;
    if (!silent && !empty) return counts;
    const what = empty ? "no result at all" : `no failure among the results, but it ended with ${code}`;
    return { ...counts, failed: counts.failed + 1, failures: [what] };
  } catch (error) {
    const what = `cannot count the results: ${String(error)}\n${stdout.slice(-2_000)}`;
    return { passed: 0, failed: 1, notRun: [], failures: [what] };
  }
}

function run(
  [file = "", ...args]: readonly string[],
  quiet: boolean,
): Promise<{ code: number; stdout: string }> {
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      cwd: root,
      stdio: ["ignore", "pipe", "inherit"],
      shell: process.platform === "win32",
    });
    let stdout = "";
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString();
      if (!quiet) process.stdout.write(chunk);
    });
    child.on("error", (error) => resolve({ code: 1, stdout: String(error) }));
    child.on("close", (code) => resolve({ code: code ?? 1, stdout }));
  });
}

process.exitCode = await main();
