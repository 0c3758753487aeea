/** `npm run matrix`: every mutant under every check, and the page of the results, spec/kill-matrix.md. */

import { execFile } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { GUARDS, type Guard } from "../../model/state.ts";
import { check, queryText } from "../../tla/prove/check.ts";
import { type Obligation, obligations } from "../../tla/prove/obligations.ts";
import { type Solver, startSolver } from "../../tla/prove/solver.ts";
import { isProgram, Progress, runProgram } from "../../tla/tools/console.ts";
import { readModelConfig } from "../../tla/tools/constants.ts";
import { violatedBy } from "../../tla/tools/tlcOutput.ts";
import { reasonOf, ToolError } from "../../tla/tools/toolError.ts";
import { MISHANDLINGS } from "../faults/mishandlings.ts";
import { runFaults } from "../faults/run.ts";
import { FAULT_SCOPES } from "../faults/scopes.ts";
import { caughtAtRandom, caughtExhaustively } from "./checks.ts";
import { CODE_DOUBLES, DOUBLES, loadDouble } from "./doubles.ts";
import {
  type Cell,
  compareCells,
  type Kept,
  problemsOf,
  readKept,
  renderPage,
  writeKept,
  writePage,
} from "./matrixPage.ts";
import { CHECKS, type Check, type Expectation, MUTANTS, type Mutant } from "./mutants.ts";
import { violationsOf } from "./violations.ts";

const usage = `Usage: npm run matrix -- [--only MUTANT,..] [--check CHECK,..] [--update] [--json] [--list]
Takes each guard out in turn, and asks each check whether it notices.

  --only MUTANT,..  these mutants
  --check CHECK,..  these checks: ${CHECKS.join(", ")}
  --update          write the results into test/twins/matrix.json, and the page spec/kill-matrix.md
  --json            the results as JSON, on stdout
  --list            print the mutants, and run nothing

Exit code: 0 as expected and as kept, 1 a mutant survives, or is killed by something else, 2 nothing could be checked.`;

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const tla = join(root, "tla");

async function main(args: readonly string[]): Promise<number> {
  const values = readArguments(args);
  if (values.help) return say(usage);
  const mutants = select(MUTANTS, values.only, ({ name }) => name, "mutant");
  const checks = select(CHECKS, values.check, (name) => name, "check");
  if (values.list) return say(mutants.map(({ name, gone }) => `${name}: without "${gone}"`).join("\n"));
  const found = await runAll(mutants, checks);
  const problems = problemsOf(mutants, found, checks);
  if (values.update) {
    writeKept(found);
    writePage(renderPage(MUTANTS, readKept()));
  } else {
    problems.push(...compareCells(found, readKept()));
  }
  if (values.json) console.log(JSON.stringify({ ok: problems.length === 0, found, problems }, null, 2));
  else for (const problem of problems) console.log(`FAILED ${problem}`);
  const killed = Object.values(found)
    .flatMap((row) => Object.values(row))
    .filter(({ verdict }) => verdict === "killed");
  console.error(
    `${mutants.length} mutants, ${checks.length} checks, ${killed.length} kills, ${problems.length} problems`,
  );
  return problems.length === 0 ? 0 : 1;
}

function readArguments(args: readonly string[]) {
  const flag = { type: "boolean", default: false } as const;
  const text = { type: "string" } as const;
  const options = { only: text, check: text, update: flag, json: flag, list: flag, help: flag };
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (cause) {
    throw new ToolError("read the arguments", reasonOf(cause), "See --help.", { cause });
  }
}

function say(text: string): number {
  console.log(text);
  return 0;
}

function select<T>(
  all: readonly T[],
  names: string | undefined,
  nameOf: (one: T) => string,
  what: string,
): readonly T[] {
  const wanted = names?.split(",").map((name) => name.trim());
  const unknown = wanted?.find((name) => !all.some((one) => nameOf(one) === name));
  if (unknown !== undefined) {
    throw new ToolError(
      `find "${unknown}"`,
      `there is no such ${what}`,
      `There are: ${all.map(nameOf).join(", ")}.`,
    );
  }
  return all.filter((one) => wanted === undefined || wanted.includes(nameOf(one)));
}

// ------------------------------------------------------------------------------------------------
// Running

/** Of one check: the cells of the mutants that it is asked about. */
type Runner = (mutants: readonly Mutant[], progress: Progress) => Promise<ReadonlyMap<string, Cell>>;

async function runAll(mutants: readonly Mutant[], checks: readonly Check[]): Promise<Kept> {
  const progress = new Progress(process.stderr);
  const rows: Record<string, Partial<Record<Check, Cell>>> = Object.fromEntries(
    mutants.map(({ name }) => [name, {}]),
  );
  for (const name of checks) {
    const asked = mutants.filter(({ expected }) => expected[name].kind !== "none");
    const cells = asked.length === 0 ? new Map<string, Cell>() : await RUNNERS[name](asked, progress);
    for (const [mutant, cell] of cells) rows[mutant] = { ...rows[mutant], [name]: cell };
  }
  return rows;
}

/** A check that is asked about one mutant after another. */
const oneByOne =
  (name: Check, ask: (mutant: Mutant, where: string) => Promise<Omit<Cell, "time">>): Runner =>
  async (mutants, progress) => {
    const cells = new Map<string, Cell>();
    for (const [i, mutant] of mutants.entries()) {
      const title = `${name} [${i + 1}/${mutants.length}] ${mutant.name}`;
      progress.start(title);
      const started = performance.now();
      const answer = await ask(mutant, whereOf(mutant.expected[name]));
      const cell = { ...answer, time: bucket(performance.now() - started) };
      cells.set(mutant.name, cell);
      progress.end(`${title}: ${cell.verdict} ${cell.by}`);
    }
    return cells;
  };

const whereOf = (expected: Expectation): string => (expected.kind === "none" ? "" : expected.where);

/** Times are of one machine on one day: only their order of magnitude is kept. */
function bucket(ms: number): string {
  const limits = [0.1, 1, 10, 60, 600];
  const limit = limits.find((seconds) => ms < seconds * 1000);
  return limit === undefined ? "> 600 s" : `< ${limit} s`;
}

const firstLine = (text: string): string => (text.split("\n")[0] ?? "").slice(0, 300);

async function codeOf(name: string): ReturnType<typeof loadDouble> {
  const double = [...DOUBLES, ...CODE_DOUBLES].find(({ guard }) => guard === name);
  if (double === undefined) throw new Error(`there is no double without ${name}`);
  return loadDouble(double);
}

/** Scopes that every double could be tried at are many; one that must survive is tried where others are caught. */
const SURVIVORS_AT = {
  random: "two processes, four tasks, Drop and late effects",
  exhaustive: "1 process, 2 tasks, a failing call",
};

const random = oneByOne("random", async ({ name, expected }, where) => {
  const scope = expected.random.kind === "killed" ? where : SURVIVORS_AT.random;
  const { message, programs } = await caughtAtRandom(scope, await codeOf(name));
  return answer(message, `${programs} programs`);
});

const exhaustive = oneByOne("exhaustive", async ({ name, expected }, where) => {
  const scope = expected.exhaustive.kind === "killed" ? where : SURVIVORS_AT.exhaustive;
  const { message, steps } = await caughtExhaustively(scope, await codeOf(name));
  return answer(message, `${steps} steps`);
});

const faults = oneByOne("faults", async ({ name }, where) => {
  const [scope, double] = [FAULT_SCOPES[where], MISHANDLINGS.find(({ guard }) => guard === name)];
  if (scope === undefined || double === undefined) throw new Error(`no scope, or no double, for ${name}`);
  const { failures, steps } = await runFaults(where, scope, await loadDouble(double));
  return answer(failures[0] ?? "", `${steps} steps`);
});

function answer(message: string, after: string): Omit<Cell, "time"> {
  return { verdict: message === "" ? "survived" : "killed", by: firstLine(message), after };
}

const explorer = oneByOne("explorer", async ({ expected }, where) => {
  const { lengths, states, whole } = violationsOf(readModelConfig(tla, `${where}.cfg`));
  const named = expected.explorer.kind === "killed" ? expected.explorer.by : /^/;
  const by = Object.keys(lengths).find((property) => named.test(property)) ?? Object.keys(lengths)[0] ?? "";
  const after = by === "" ? `${states} states${whole ? "" : ", not all"}` : `${lengths[by]} states`;
  return { verdict: by === "" ? "survived" : "killed", by, after, violated: lengths };
});

const proof: Runner = async (mutants, progress) => {
  await using solver = await startSolver();
  const asking = oneByOne("proof", ({ name, expected }) => refuted(solver, name, expected.proof));
  // Not without await: the solver would be gone before the first answer.
  return await asking(mutants, progress);
};

/** The row that must fail; of a guard that no row needs, every row in which it makes a difference. */
async function refuted(solver: Solver, name: string, expected: Expectation): Promise<Omit<Cell, "time">> {
  const guard = GUARDS.find((candidate): candidate is Guard => candidate === name);
  const nameOf = ({ action, claim }: Obligation): string => `${action} x ${claim}`;
  const textOf = ({ parts }: Obligation): string => parts.map(queryText).join("\n");
  const whole = new Set(obligations().map((row) => `${nameOf(row)}\n${textOf(row)}`));
  const rows = obligations(guard === undefined ? [] : [guard]);
  const asked = rows.filter((row) =>
    expected.kind === "survives"
      ? !whole.has(`${nameOf(row)}\n${textOf(row)}`)
      : nameOf(row) === whereOf(expected),
  );
  for (const [i, row] of asked.entries()) {
    const { verdict } = await check(solver, row);
    if (verdict.kind === "proved") continue;
    return { verdict: "killed", by: nameOf(row), after: `${i + 1} rows` };
  }
  return { verdict: "survived", by: "", after: `${asked.length} rows` };
}

// ------------------------------------------------------------------------------------------------
// Other programs

interface TlcResult {
  readonly name: string;
  readonly got: { readonly kind: string; readonly line?: string };
  readonly distinct?: number;
  readonly seconds: number;
}

const tlc: Runner = async (mutants) => {
  const names = mutants.map(({ expected }) => whereOf(expected.tlc));
  const first = await firstViolations(names);
  const named = await runTlc(tla, names);
  const cells = mutants.map(({ name, expected }): [string, Cell] => {
    const result = named.find((one) => one.name === whereOf(expected.tlc));
    const { got, distinct = 0, seconds = 0 } = result ?? {};
    // "broken": TLC checked nothing, which is neither.
    if (got === undefined || got.kind === "broken")
      throw new ToolError(`check ${name}`, "TLC checked nothing", "Run npm run tlc.");
    const by = got.line === undefined ? "" : violatedBy(got.line);
    return [
      name,
      {
        verdict: got.kind === "fails" ? "killed" : "survived",
        by,
        first: first.get(whereOf(expected.tlc)) ?? "",
        after: `${distinct} states`,
        time: bucket(seconds * 1000),
      },
    ];
  });
  return new Map(cells);
};

const ALL_PROPERTIES = [
  "INVARIANTS TypeOK FreshNamesSuffice MutualExclusion HeldIsOnDisk NoGhostHolder OneContender NoIdleQueue NothingForgotten",
  "PROPERTIES Refinement NeverTouchesAnothers Fifo",
];

/** Each configuration once more, with all properties of states and steps: which does TLC print first? */
async function firstViolations(names: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const directory = fs.mkdtempSync(join(tmpdir(), "swl-matrix-"));
  try {
    const { models } = JSON.parse(fs.readFileSync(join(tla, "models.json"), "utf8")) as {
      models: { name: string; config: string; temporal: boolean; expect: { verdict: string } }[];
    };
    // A liveness property is asked alone; what holds with all of them was asked so already.
    const asked = models.filter(
      ({ name, temporal, expect }) => names.includes(name) && !temporal && expect.verdict === "fails",
    );
    for (const file of fs.readdirSync(tla)) {
      if (file.endsWith(".tla")) fs.copyFileSync(join(tla, file), join(directory, file));
    }
    for (const { config } of asked) {
      const text = fs
        .readFileSync(join(tla, config), "utf8")
        .replaceAll(/^(INVARIANTS?|PROPERT(Y|IES)) .*\n?/gm, "");
      fs.writeFileSync(join(directory, config), [text.trimEnd(), ...ALL_PROPERTIES, ""].join("\n"));
    }
    fs.writeFileSync(join(directory, "models.json"), JSON.stringify({ models: asked }));
    const results = await runTlc(
      directory,
      asked.map(({ name }) => name),
    );
    return new Map(
      results.map(({ name, got }) => [name, got.line === undefined ? "" : violatedBy(got.line)]),
    );
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

async function runTlc(directory: string, names: readonly string[]): Promise<readonly TlcResult[]> {
  const args = ["run", "--silent", "tlc", "--", "--json", "--dir", directory, "--only", names.join(",")];
  return (JSON.parse(await output("npm", args)) as { results: readonly TlcResult[] }).results;
}

interface VitestResults {
  readonly testResults: readonly {
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly duration?: number;
    }[];
  }[];
}

/** The twins of test/process: each passes if its broken build is caught. */
const processes: Runner = async (mutants) => {
  const file = join(fs.mkdtempSync(join(tmpdir(), "swl-matrix-")), "vitest.json");
  await output("npx", [
    "vitest",
    "run",
    "test/process",
    "test/stress/doubles.test.ts",
    "-t",
    "twin|broken code",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${file}`,
  ]);
  const results = JSON.parse(fs.readFileSync(file, "utf8")) as VitestResults;
  fs.rmSync(dirname(file), { recursive: true, force: true });
  const tests = results.testResults.flatMap(({ assertionResults }) => assertionResults);
  const cells = mutants.map(({ name, expected }): [string, Cell] => {
    const title = expected.processes.kind === "killed" ? expected.processes.by : /$^/;
    const test = tests.find(({ fullName }) => title.test(fullName));
    const { status = "is not there", duration = 0 } = test ?? {};
    if (status !== "passed" && status !== "failed") {
      throw new ToolError(
        `ask real processes about ${name}`,
        `its scenario ${status}`,
        "See spec/evidence.md for what it needs.",
      );
    }
    return [
      name,
      {
        verdict: status === "passed" ? "killed" : "survived",
        // Some say with which seed they ran: another one each time.
        by: test?.fullName.replace(/, seed \d+/, "") ?? "",
        after: "1 scenario",
        time: bucket(duration),
      },
    ];
  });
  return new Map(cells);
};

/** What a program prints, whether it is content or not; its progress goes to ours. */
function output(file: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { cwd: root, maxBuffer: 2 ** 28, shell: process.platform === "win32" };
    const child = execFile(file, args, options, (error, stdout) => {
      if (error !== null && typeof error.code === "string") reject(error);
      else resolve(stdout);
    });
    child.stderr?.pipe(process.stderr);
  });
}

const RUNNERS: Readonly<Record<Check, Runner>> = {
  tlc,
  explorer,
  proof,
  random,
  exhaustive,
  faults,
  processes,
};

if (isProgram(import.meta.url)) await runProgram(() => main(process.argv.slice(2)));
