/** `npm run exhaust`: every schedule of the declared scopes, on the real lock and a real directory. */

import fs from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { labelText } from "../../model/machine.ts";
import type { Config } from "../../model/state.ts";
import * as realProtocol from "../../src/protocol.ts";
import { grouped, isProgram, Progress, perSecond, runProgram, table } from "../../tla/tools/console.ts";
import { Interrupted, reasonOf, ToolError } from "../../tla/tools/toolError.ts";
import { type Exhausted, ExhaustFailure, type ExhaustOptions, exhaust } from "./exhaustive.ts";
import { explain, kindOf } from "./ledger.ts";
import { replay, withWorld } from "./programs.ts";
import { EXHAUSTIVE_SCOPES } from "./scopes.ts";
import type { Protocol } from "./world.ts";

const usage = `Usage: npm run exhaust -- [--scope NAME] [--deep] [--path "STEP; STEP; ..."] [--json] [--update] [--list]
Drives every edge of the model on the real lock, at the scopes of the gate.

  --scope NAME  this scope only
  --deep        all scopes, not only those of the gate
  --path STEPS  only what lies below this prefix, of one scope; nothing is compared with the pinned numbers
  --json        the results as JSON, on stdout
  --update      write the numbers of scopes without a failure into exhaust.json
  --list        print the scopes and run nothing

Exit code: 0 all driven or in the ledger, 1 a failure, 2 nothing could be checked.`;

/** What is pinned, in exhaust.json: these do not depend on the order in which schedules are tried. */
export interface Pinned {
  /** Of the model, reachable at the scope; and how many of them the real lock was in, or went along. */
  readonly states: number;
  readonly statesEntered: number;
  readonly edges: number;
  readonly edgesDriven: number;
  /** Edges that the ledger explains, by their kind. */
  readonly ledger: Readonly<Record<string, number>>;
  /** Of the ledger, the kinds of edges that were driven where the code had counted far enough. */
  readonly atBound: readonly string[];
  /** Edges from states that can only be reached along those. */
  readonly behind: number;
  /** States of the model, together with what the code remembers beyond them. */
  readonly places: number;
}

export interface ScopeResult extends Pinned {
  readonly scope: string;
  /** Real steps; of those, the ones on the way to a place that was known. */
  readonly steps: number;
  readonly replayed: number;
  readonly worlds: number;
  readonly seconds: number;
  /** Why it is no success; empty if it is one. */
  readonly failures: readonly string[];
}

/** Drives one scope, and compares in both directions. Never throws for what the code, or the model, does wrong. */
export async function runScope(
  scope: string,
  options: ExhaustOptions = {},
  protocol: Protocol = realProtocol,
): Promise<ScopeResult> {
  const config = configOf(scope);
  const started = performance.now();
  const seconds = (): number => (performance.now() - started) / 1000;
  try {
    const found = await exhaust(config, protocol, options);
    return { ...resultOf(scope, found, options), seconds: seconds() };
  } catch (error) {
    if (!(error instanceof ExhaustFailure)) throw error;
    return { ...NOTHING, scope, ...error.counts, seconds: seconds(), failures: [storyOf(scope, error)] };
  }
}

function configOf(scope: string): Config {
  const declared = EXHAUSTIVE_SCOPES[scope];
  if (declared === undefined)
    throw new ToolError("run exhaust", `there is no scope "${scope}"`, "See --list.");
  return declared.config;
}

const NOTHING = { states: 0, statesEntered: 0, edges: 0, edgesDriven: 0, ledger: {}, atBound: [], behind: 0 };

function storyOf(scope: string, { message, steps }: ExhaustFailure): string {
  return `${message}\nafter: ${steps.join("; ")}\n${replayCommand(scope, steps)}`;
}

function replayCommand(scope: string, steps: readonly string[]): string {
  return `Replay: npm run lockstep -- --scope "${scope}" --steps "${steps.join("; ")}"`;
}

/** How many edges that nobody drove are shown. The rest is usually more of the same. */
const MOST_EXAMPLES = 3;

function resultOf(scope: string, found: Exhausted, { prefix }: ExhaustOptions): Omit<ScopeResult, "seconds"> {
  const { edges, counts, countersAt, wayTo } = found;
  const { entries, unexplained, wrong, atBound } = explain(
    scope,
    edges.list("missed"),
    edges.list("driven"),
    countersAt,
  );
  const examples = unexplained.slice(0, MOST_EXAMPLES).map((edge) => {
    const way = wayTo(edge.fromId);
    return `${labelText(edge.label)}, ${kindOf(edge)}, was never driven after: ${way.join("; ")}\n${replayCommand(scope, way)}`;
  });
  if (unexplained.length > MOST_EXAMPLES) examples.push(`${unexplained.length} edges were never driven`);
  return {
    scope,
    ...counts,
    states: edges.states,
    statesEntered: edges.statesEntered,
    edges: edges.edges,
    edgesDriven: edges.driven,
    ledger: Object.fromEntries(entries.map((explained) => [kindOf(explained.entry), explained.edges])),
    atBound,
    behind: edges.behind,
    // Below a prefix there may be nothing for an entry to explain.
    failures: [...examples, ...(prefix === undefined ? wrong.map((why) => `the ledger: ${why}`) : [])],
  };
}

const pinnedFile = join(dirname(fileURLToPath(import.meta.url)), "exhaust.json");

export function readPinned(): Readonly<Record<string, Pinned>> {
  return JSON.parse(fs.readFileSync(pinnedFile, "utf8")) as Readonly<Record<string, Pinned>>;
}

export function toPin(result: ScopeResult): Pinned {
  const { states, statesEntered, edges, edgesDriven, ledger, atBound, behind, places } = result;
  return { states, statesEntered, edges, edgesDriven, ledger, atBound, behind, places };
}

/** What differs from the pinned numbers, as failures. */
export function comparePinned(result: ScopeResult, pinned: Pinned | undefined): readonly string[] {
  if (result.failures.length > 0) return [];
  const found = JSON.stringify(toPin(result));
  if (pinned === undefined) return [`not pinned: ${found}. Write it with --update.`];
  const expected = JSON.stringify(pinned);
  return found === expected ? [] : [`it is ${found}, and pinned is ${expected}`];
}

// ------------------------------------------------------------------------------------------------
// The command

async function main(args: readonly string[]): Promise<number> {
  const values = readArguments(args);
  if (values.help) return say(usage);
  if (values.list) return say(list());
  const scopes = selectScopes(values.scope, values.deep);
  const prefix = values.path?.split(";").map((step) => step.trim());
  if (prefix !== undefined) await checkPrefix(values.scope, prefix, values.update);
  const results: ScopeResult[] = [];
  for (const scope of scopes) {
    const result = await runWithProgress(scope, prefix);
    const compares = prefix === undefined && !values.update;
    const differences = compares ? comparePinned(result, readPinned()[scope]) : [];
    results.push({ ...result, failures: [...result.failures, ...differences] });
    if (values.update) update(result);
  }
  console.log(values.json ? JSON.stringify({ results }, null, 2) : report(results));
  return results.every(({ failures }) => failures.length === 0) ? 0 : 1;
}

function readArguments(args: readonly string[]) {
  const flag = { type: "boolean", default: false } as const;
  const text = { type: "string" } as const;
  const options = { scope: text, deep: flag, path: text, json: flag, update: flag, list: flag, help: flag };
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (cause) {
    throw new ToolError("read the arguments", reasonOf(cause), "See --help.", { cause });
  }
}

async function checkPrefix(
  scope: string | undefined,
  prefix: readonly string[],
  updates: boolean,
): Promise<void> {
  if (scope === undefined || updates) {
    throw new ToolError(
      "use --path",
      "it is a prefix at one scope, and pins nothing",
      "Name it with --scope.",
    );
  }
  try {
    await withWorld(configOf(scope), realProtocol, (world) => replay(world, prefix));
  } catch (cause) {
    throw new ToolError("use --path", reasonOf(cause), "Give the steps as a failure prints them.", { cause });
  }
}

function say(text: string): number {
  console.log(text);
  return 0;
}

function list(): string {
  return Object.entries(EXHAUSTIVE_SCOPES)
    .map(([name, { gate }]) => `${gate ? "gate" : "deep"}  ${name}`)
    .join("\n");
}

function selectScopes(only: string | undefined, deep: boolean): readonly string[] {
  if (only !== undefined) {
    configOf(only);
    return [only];
  }
  return Object.entries(EXHAUSTIVE_SCOPES)
    .filter(([, { gate }]) => gate || deep)
    .map(([name]) => name);
}

async function runWithProgress(scope: string, prefix: readonly string[] | undefined): Promise<ScopeResult> {
  const line = new Progress(process.stderr);
  const abort = new AbortController();
  let wayHere: () => readonly string[] = () => prefix ?? [];
  const stop = (): void => abort.abort(new Interrupted("SIGINT"));
  process.once("SIGINT", stop);
  line.start(scope);
  const started = performance.now();
  try {
    const result = await runScope(scope, {
      ...(prefix === undefined ? {} : { prefix }),
      signal: abort.signal,
      onProgress: ({ counts, edges, way }) => {
        const rate = Math.round(counts.steps / ((performance.now() - started) / 1000));
        line.detail(
          `${bar(edges.driven / edges.edges)} of ${grouped(edges.edges)} edges, ${grouped(rate)} steps/s`,
        );
        wayHere = way;
      },
    });
    line.end(
      `${scope}: ${result.failures.length === 0 ? "all driven" : "FAILED"}, ${result.seconds.toFixed(1)} s`,
    );
    return result;
  } catch (error) {
    line.stop();
    if (error instanceof Interrupted)
      console.error(
        `To go on below where it was: npm run exhaust -- --scope "${scope}" --path "${wayHere().join("; ")}"`,
      );
    else console.error(`${scope}: ${reasonOf(error)}`);
    throw error;
  } finally {
    process.removeListener("SIGINT", stop);
  }
}

const BAR_WIDTH = 20;

function bar(share: number): string {
  const full = Math.floor(share * BAR_WIDTH);
  return `[${"#".repeat(full)}${".".repeat(BAR_WIDTH - full)}] ${Math.floor(share * 100)} %`;
}

function report(results: readonly ScopeResult[]): string {
  const header = [
    "scope",
    "states",
    "in",
    "edges",
    "driven",
    "ledger",
    "behind",
    "places",
    "steps",
    "steps/s",
    "replayed",
    "seconds",
  ];
  const rows = results.map((result) => [
    result.scope,
    grouped(result.states),
    grouped(result.statesEntered),
    grouped(result.edges),
    grouped(result.edgesDriven),
    grouped(Object.values(result.ledger).reduce((sum, edges) => sum + edges, 0)),
    grouped(result.behind),
    grouped(result.places),
    grouped(result.steps),
    perSecond(result.steps, result.seconds),
    `${((100 * result.replayed) / Math.max(1, result.steps)).toFixed(0)} %`,
    result.seconds.toFixed(1),
  ]);
  const failures = results.flatMap(({ scope, failures: why }) =>
    why.map((text) => `FAILED ${scope}: ${text}`),
  );
  return [table(header, rows), speedLine(results), ...failures].join("\n");
}

/** Of all scopes together. The model's exploration is in the seconds, too. */
function speedLine(results: readonly ScopeResult[]): string {
  const sum = (of: "steps" | "seconds"): number => results.reduce((total, result) => total + result[of], 0);
  const [steps, seconds] = [sum("steps"), sum("seconds")];
  return `exhaust: ${grouped(steps)} real steps in ${seconds.toFixed(1)} s, ${perSecond(steps, seconds)} steps/s`;
}

/** Of a scope that is a success; the file keeps the order of the scopes, and those alone. */
function update(result: ScopeResult): void {
  const pinned: Record<string, Pinned> = { ...readPinned() };
  if (result.failures.length === 0) pinned[result.scope] = toPin(result);
  const known = Object.keys(EXHAUSTIVE_SCOPES).filter((scope) => pinned[scope] !== undefined);
  const sorted = Object.fromEntries(known.map((scope) => [scope, pinned[scope]]));
  // Lists on one line, as the formatter wants them.
  const text = JSON.stringify(sorted, null, 2).replaceAll(/\[\s+([^\]]*?)\s+\]/g, (_, items: string) => {
    return `[${items.replaceAll(/\s*\n\s*/g, " ")}]`;
  });
  fs.writeFileSync(pinnedFile, `${text}\n`);
}

if (isProgram(import.meta.url)) await runProgram(() => main(process.argv.slice(2)));
