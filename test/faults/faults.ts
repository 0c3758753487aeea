/** `npm run faults`: failures at every call of every schedule of the declared scopes (run.ts). */

import { parseArgs } from "node:util";
import * as realProtocol from "../../src/protocol.ts";
import { grouped, isProgram, Progress, runProgram, table } from "../../tla/tools/console.ts";
import { reasonOf, ToolError } from "../../tla/tools/toolError.ts";
import { freshDirectory, removeDirectory, replay } from "../lockstep/programs.ts";
import { World } from "../lockstep/world.ts";
import { type FaultResult, failuresOf, runFaults } from "./run.ts";
import { FAULT_SCOPES, type FaultScope } from "./scopes.ts";

const usage = `Usage: npm run faults -- [--scope NAME] [--deep] [--steps "STEP; STEP; ..."] [--list]
Every call of every schedule fails: with each errno that it may report, and did not happen, happened, or happens later.

  --scope NAME   this scope only
  --deep         all scopes, not only those of the gate
  --steps STEPS  replays one schedule of one scope, as a failure prints it
  --list         print the scopes and run nothing

Exit code: 0 nothing was violated, 1 a failure, 2 nothing could be checked.`;

async function main(args: readonly string[]): Promise<number> {
  const values = readArguments(args);
  if (values.help) return say(usage);
  if (values.list) return say(list());
  if (values.steps !== undefined) return replaySteps(values.scope, values.steps);
  const results: FaultResult[] = [];
  for (const scope of selectScopes(values.scope, values.deep)) results.push(await runWithProgress(scope));
  console.log(report(results));
  return results.every(({ failures }) => failures.length === 0) ? 0 : 1;
}

function readArguments(args: readonly string[]) {
  const flag = { type: "boolean", default: false } as const;
  const text = { type: "string" } as const;
  try {
    const options = { scope: text, deep: flag, steps: text, list: flag, help: flag };
    return parseArgs({ args: [...args], options }).values;
  } catch (cause) {
    throw new ToolError("read the arguments", reasonOf(cause), "See --help.", { cause });
  }
}

function say(text: string): number {
  console.log(text);
  return 0;
}

const list = (): string =>
  Object.entries(FAULT_SCOPES)
    .map(([name, { gate }]) => `${gate ? "gate" : "deep"}  ${name}`)
    .join("\n");

function scopeNamed(name: string): FaultScope {
  const found = FAULT_SCOPES[name];
  if (found === undefined) throw new ToolError("run faults", `there is no scope "${name}"`, "See --list.");
  return found;
}

function selectScopes(only: string | undefined, deep: boolean): readonly string[] {
  if (only !== undefined) return scopeNamed(only) && [only];
  return Object.entries(FAULT_SCOPES)
    .filter(([, { gate }]) => gate || deep)
    .map(([name]) => name);
}

function replaySteps(name: string | undefined, text: string): number {
  if (name === undefined)
    throw new ToolError("use --steps", "it is a schedule of one scope", "Name it with --scope.");
  const scope = scopeNamed(name);
  const directory = freshDirectory();
  try {
    const world = new World(scope.config, directory, realProtocol, { failures: failuresOf(scope) });
    replay(
      world,
      text.split(";").map((step) => step.trim()),
    );
    return say(
      `${world.comparisons} steps compared, all of the model. Now: ${JSON.stringify(world.state, null, 1)}`,
    );
  } catch (error) {
    console.error((error as Error).message);
    return 1;
  } finally {
    removeDirectory(directory);
  }
}

async function runWithProgress(scope: string): Promise<FaultResult> {
  const line = new Progress(process.stderr);
  line.start(scope);
  const result = await runFaults(scope, scopeNamed(scope), realProtocol, {
    onProgress: ({ counts }) =>
      line.detail(`${grouped(counts.places)} places, ${grouped(counts.steps)} steps`),
  });
  const verdict = result.failures.length === 0 ? "nothing violated" : "FAILED";
  line.end(`${scope}: ${verdict}, ${result.seconds.toFixed(1)} s`);
  return result;
}

function report(results: readonly FaultResult[]): string {
  const header = ["scope", "places", "injected", "kinds", "endings", "steps", "seconds"];
  const rows = results.map(({ scope, places, injected, kinds, endings, steps, seconds }) => [
    scope,
    ...[places, injected, kinds.size, endings, steps].map(grouped),
    seconds.toFixed(1),
  ]);
  const failures = results.flatMap(({ scope, failures: why }) =>
    why.map((text) => `FAILED ${scope}: ${text}`),
  );
  return [table(header, rows), ...failures].join("\n");
}

if (isProgram(import.meta.url)) await runProgram(() => main(process.argv.slice(2)));
