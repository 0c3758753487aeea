import { parseArgs } from "node:util";
import type { Guard } from "../../model/state.ts";
import { grouped, isProgram, Progress, runProgram, table } from "../tools/console.ts";
import { reasonOf, ToolError } from "../tools/toolError.ts";
import { PROVED_ACTIONS } from "./actions.ts";
import { check, type Row } from "./check.ts";
import { counterexampleText } from "./counterexample.ts";
import { type Comparison, compareWithModel, uncompared } from "./drift.ts";
import { FOLLOWS, type Obligation, obligations } from "./obligations.ts";
import { IMPOSSIBLE, SCOPES, UNREACHED } from "./scopes.ts";
import { startSolver } from "./solver.ts";
import { PROVED_GUARDS } from "./twins.ts";

const usage = `Usage: npm run prove -- [--only ACTION[,ACTION]] [--without GUARD] [--deep] [--json]
Shows, for any number of processes, tasks, incarnations, names and crashes: each action of OwnerDirectory.tla keeps
each conjunct of the inductive invariant, and the invariant implies the properties. First the encoding
is compared with the model, state by state.

  --only ACTION,..  these actions; Init and Inv too. No comparison
  --without GUARD   with this guard taken out: must find a counterexample, so it exits with 1
  --deep            compares the encoding at the larger scopes too, and asks Z3 about the frame rows
  --json            the result as JSON on stdout, progress on stderr

Exit code: 0 all proved, 1 a row is refuted or open or the encoding differs, 2 nothing could be checked.`;

interface Options {
  readonly only: readonly string[] | undefined;
  readonly without: readonly Guard[];
  readonly deep: boolean;
  readonly json: boolean;
}

interface NamedComparison extends Comparison {
  readonly scope: string;
  readonly seconds: number;
}

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (options === "help") {
    console.log(usage);
    return 0;
  }
  const selected = selectRows(options);
  const progress = new Progress(options.json ? process.stderr : process.stdout);
  const comparisons = options.only === undefined ? compareScopes(options, progress) : [];
  const rows = await checkAll(selected, progress);
  const problems = problemsOf(comparisons, rows);
  if (options.json) console.log(JSON.stringify(jsonReport(comparisons, rows, problems), null, 2));
  else console.log(report(comparisons, rows, problems));
  return problems.length === 0 ? 0 : 1;
}

export function readOptions(args: readonly string[]): Options | "help" {
  const values = parse(args);
  if (values.help) return "help";
  const guard = PROVED_GUARDS.find((known) => known === values.without);
  if (values.without !== undefined && guard === undefined) {
    const there = `There are: ${PROVED_GUARDS.join(", ")}.`;
    throw new ToolError(`take out "${values.without}"`, "the model knows no such guard", there);
  }
  const only = values.only?.split(",").map((name) => name.trim());
  return { only, without: guard === undefined ? [] : [guard], deep: values.deep, json: values.json };
}

function parse(args: readonly string[]) {
  const flag = { type: "boolean", default: false } as const;
  const text = { type: "string" } as const;
  try {
    const options = { only: text, without: text, deep: flag, json: flag, help: flag };
    return parseArgs({ args: [...args], options }).values;
  } catch (cause) {
    throw new ToolError("read the arguments", reasonOf(cause), "See --help.", { cause });
  }
}

/** The rows to check; never none, because nothing that was checked is nothing that was proved. */
function selectRows({
  only,
  without,
  deep,
}: Pick<Options, "only" | "without" | "deep">): readonly Obligation[] {
  const names = ["Init", ...PROVED_ACTIONS, FOLLOWS];
  const unknown = only?.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new ToolError(`check "${unknown}"`, "there is no such action", `There are: ${names.join(", ")}.`);
  }
  return obligations(without, deep).filter(({ action }) => only === undefined || only.includes(action));
}

function compareScopes({ deep, without }: Options, progress: Progress): readonly NamedComparison[] {
  const scopes = Object.entries(SCOPES).filter(([, scope]) => deep || !scope.deep);
  return scopes.map(([scope, { config }], i) => {
    const title = `[${i + 1}/${scopes.length}] encoding = model: ${scope}`;
    progress.start(title);
    const started = performance.now();
    const comparison = compareWithModel({ ...config, broken: without });
    const seconds = (performance.now() - started) / 1000;
    const { states, edges, differences } = comparison;
    const counts = `${grouped(states)} states, ${grouped(edges)} edges, ${seconds.toFixed(1)} s`;
    progress.end(`${title}: ${differences.length === 0 ? "equal" : "DIFFERENT"}, ${counts}`);
    return { scope, seconds, ...comparison };
  });
}

async function checkAll(selected: readonly Obligation[], progress: Progress): Promise<readonly Row[]> {
  const actions = [...new Set(selected.map(({ action }) => action))];
  const rows: Row[] = [];
  await using solver = await startSolver();
  for (const [i, action] of actions.entries()) {
    const title = `[${i + 1}/${actions.length}] ${action}`;
    progress.start(title);
    const started = rows.length;
    for (const obligation of selected.filter((one) => one.action === action)) {
      progress.detail(obligation.claim);
      rows.push(await check(solver, obligation));
    }
    progress.end(`${title}: ${summary(rows.slice(started))}`);
  }
  return rows;
}

function summary(rows: readonly Row[]): string {
  const asked = rows.filter(({ queries }) => queries > 0);
  const kinds = ["proved", "refuted", "open"] as const;
  const counts = kinds.flatMap((kind) => {
    const count = asked.filter(({ verdict }) => verdict.kind === kind).length;
    return count > 0 ? [`${count} ${kind}`] : [];
  });
  if (asked.length < rows.length) counts.push(`${rows.length - asked.length} frame rows`);
  const sum = (of: (row: Row) => number): number => rows.reduce((total, row) => total + of(row), 0);
  return `${counts.join(", ")}, ${sum(({ queries }) => queries)} queries, ${sum(({ seconds }) => seconds).toFixed(1)} s`;
}

/** In words; empty if everything is proved. */
function problemsOf(comparisons: readonly NamedComparison[], rows: readonly Row[]): readonly string[] {
  const different = comparisons.flatMap(({ scope, differences }) =>
    differences.map((difference) => `The encoding is not the model at "${scope}": ${difference}`),
  );
  const elsewhere = [...IMPOSSIBLE, ...UNREACHED];
  const unseen =
    comparisons.length === 0 ? [] : uncompared(comparisons).filter((one) => !elsewhere.includes(one));
  return [
    ...different,
    ...unseen.map((one) => `No scope has a step by case ${one} of the encoding: it was not compared.`),
    ...rows.flatMap(problemOf),
  ];
}

function problemOf({ action, claim, verdict }: Row): readonly string[] {
  if (verdict.kind === "proved") return [];
  if (verdict.kind === "open") return [`${action} x ${claim}: OPEN, ${verdict.reason}`];
  const text = counterexampleText(verdict.counterexample).replaceAll("\n", "\n  ");
  return [`${action} x ${claim}: REFUTED, by this step\n  ${text}`];
}

function report(
  comparisons: readonly NamedComparison[],
  rows: readonly Row[],
  problems: readonly string[],
): string {
  const lines = rows.map(({ action, claim, verdict, queries, seconds }) => [
    action,
    claim,
    verdict.kind,
    `${queries}`,
    seconds.toFixed(2),
  ]);
  const states = comparisons.reduce((sum, comparison) => sum + comparison.states, 0);
  const compared =
    comparisons.length === 0 ? "encoding not compared" : `encoding compared in ${grouped(states)} states`;
  return [
    "",
    table(["action", "claim", "verdict", "queries", "seconds"], lines),
    "",
    "0 queries: a frame row. The action changes nothing that the claim is about, so nothing is asked.",
    ...problems,
    `${rows.length} rows: ${summary(rows)}; ${compared}`,
  ].join("\n");
}

function jsonReport(
  comparisons: readonly NamedComparison[],
  rows: readonly Row[],
  problems: readonly string[],
): unknown {
  return {
    ok: problems.length === 0,
    comparisons: comparisons.map(({ scope, states, edges, differences, seconds }) => ({
      scope,
      ok: differences.length === 0,
      states,
      edges,
      seconds: Number(seconds.toFixed(1)),
    })),
    results: rows.map(({ action, claim, verdict, queries, seconds }) => ({
      name: `${action} x ${claim}`,
      ok: verdict.kind === "proved",
      verdict: verdict.kind,
      queries,
      seconds: Number(seconds.toFixed(2)),
    })),
    problems,
  };
}

if (isProgram(import.meta.url)) await runProgram(() => main(process.argv.slice(2)));
