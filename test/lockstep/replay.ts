/**
 * `npm run lockstep`: random lockstep with a seed, or one exact schedule.
 *
 *   npm run lockstep -- --scope "three processes, three tasks, PutBack" --seed 42 --runs 5000
 *   npm run lockstep -- --scope "..." --steps "Request(a1); Prepare(a1); Take(a1)" --drain
 */

import { parseArgs } from "node:util";
import fc from "fast-check";
import * as protocol from "../../src/protocol.ts";
import { drain, lockstepProperty, MAX_COMMANDS, replay, withWorld } from "./programs.ts";
import { REPLAYABLE, SCOPES } from "./scopes.ts";

const usage = `Usage: npm run lockstep -- [--scope NAME] [--seed N] [--runs N] [--steps "STEP; STEP; ..." [--drain]]
  --drain  afterwards everything comes to its end: nobody may wait, and nothing may be owed
Scopes:
${Object.keys(REPLAYABLE)
  .map((name) => `  ${name}`)
  .join("\n")}`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      scope: { type: "string" },
      seed: { type: "string" },
      runs: { type: "string" },
      steps: { type: "string" },
      drain: { type: "boolean", default: false },
      help: { type: "boolean" },
    },
  });
  if (values.help === true) {
    console.log(usage);
    return 0;
  }
  const names = values.scope === undefined ? Object.keys(SCOPES) : [values.scope];
  const unknown = names.find((name) => REPLAYABLE[name] === undefined);
  const seed = Number(values.seed ?? Date.now() & 0x7fffffff);
  const runs = Number(values.runs ?? 1_000);
  if (unknown !== undefined || !Number.isInteger(seed) || !(runs > 0)) {
    console.error(
      `Cannot run lockstep: ${unknown === undefined ? "--seed and --runs are numbers" : `no scope "${unknown}"`}`,
    );
    console.error(usage);
    return 2;
  }
  if (values.steps !== undefined) return replaySteps(names[0] ?? "", values.steps, values.drain);
  for (const name of names) if (!(await random(name, seed, runs))) return 1;
  return 0;
}

async function replaySteps(name: string, text: string, drains: boolean): Promise<number> {
  const config = REPLAYABLE[name];
  if (config === undefined) return 2;
  const steps = text.split(";").map((step) => step.trim());
  return withWorld(config, protocol, (world) => {
    try {
      replay(world, steps);
      if (drains) drain(world);
    } catch (error) {
      console.error((error as Error).message);
      return 1;
    }
    console.log(
      `${world.comparisons} steps compared, all of the model. Now: ${JSON.stringify(world.state, null, 1)}`,
    );
    return 0;
  });
}

async function random(name: string, seed: number, runs: number): Promise<boolean> {
  const config = REPLAYABLE[name];
  if (config === undefined) return false;
  let comparisons = 0;
  const property = lockstepProperty(config, protocol, MAX_COMMANDS, (world) => {
    comparisons += world.comparisons;
    if (process.stdout.isTTY) process.stdout.write(`\r${name}: ${comparisons} steps`);
  });
  const started = performance.now();
  const details = await fc.check(property, { seed, numRuns: runs, endOnFailure: true });
  const seconds = (performance.now() - started) / 1000;
  const rate = Math.round(comparisons / seconds);
  console.log(
    `${process.stdout.isTTY ? "\r" : ""}${name}: seed ${seed}, ${details.numRuns} programs, ${comparisons} steps compared, ${rate}/s`,
  );
  if (!details.failed) return true;
  const message =
    details.errorInstance instanceof Error ? details.errorInstance.message : String(details.errorInstance);
  console.error(message);
  return false;
}

process.exitCode = await main();
