/**
 * `npm run lockstep`: random lockstep with a seed, or one exact schedule.
 *
 *   npm run lockstep -- --scope "three processes, three tasks, PutBack" --seed 42 --runs 5000
 *   npm run lockstep -- --scope "..." --steps "Request(a1); Prepare(a1); Take(a1)" --drain
 */

import fc from "fast-check";
import * as protocol from "../../src/protocol.ts";
import { grouped, perSecond } from "../../tla/tools/console.ts";
import { readArgs, UsageError, whole } from "../support/cliOptions.ts";
import { drain, lockstepProperty, MAX_COMMANDS, replay, withWorld } from "./programs.ts";
import { REPLAYABLE, SCOPES } from "./scopes.ts";

const usage = `Usage: npm run lockstep -- [--scope NAME] [--seed N] [--runs N] [--steps "STEP; STEP; ..." [--drain]]
  --drain  afterwards everything comes to its end: nobody may wait, and nothing may be owed
Prints for each scope, and for all together, how many steps of the real lock were compared, and how many in a second.
The directories are in /dev/shm where there is one; SWL_LOCKSTEP_DIR names another place.
Exit code: 0 no divergence, 1 a divergence, 2 nothing could be checked.
Scopes:
${Object.keys(REPLAYABLE)
  .map((name) => `  ${name}`)
  .join("\n")}`;

async function main(): Promise<number> {
  const {
    help,
    drain: drains,
    ...values
  } = readArgs(process.argv.slice(2), {
    scope: { type: "string" },
    seed: { type: "string" },
    runs: { type: "string" },
    steps: { type: "string" },
    drain: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  });
  if (help) {
    console.log(usage);
    return 0;
  }
  const names = values.scope === undefined ? Object.keys(SCOPES) : [values.scope];
  const unknown = names.find((name) => REPLAYABLE[name] === undefined);
  if (unknown !== undefined) throw new UsageError(`there is no scope "${unknown}"`);
  const seed = whole("--seed", values.seed, {
    fallback: Date.now() & 0x7fffffff,
    from: 0,
    to: 0x7fffffff,
  });
  const runs = whole("--runs", values.runs, { fallback: 1_000, from: 1, to: 10_000_000 });
  if (values.steps !== undefined) {
    if (values.scope === undefined) throw new UsageError("--steps is a schedule of one --scope");
    return replaySteps(values.scope, values.steps, drains);
  }
  let [compared, seconds] = [0, 0];
  for (const name of names) {
    const found = await random(name, seed, runs);
    if (found === null) return 1;
    compared += found.compared;
    seconds += found.seconds;
  }
  console.log(`lockstep: ${speedText({ compared, seconds })}`);
  return 0;
}

/** What was compared with the model, each on a real directory, and the time for all of it. */
interface Compared {
  readonly compared: number;
  readonly seconds: number;
}

const speedText = ({ compared, seconds }: Compared): string =>
  `${grouped(compared)} real steps compared in ${seconds.toFixed(1)} s, ${perSecond(compared, seconds)} steps/s`;

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

/** Null if something diverged. */
async function random(name: string, seed: number, runs: number): Promise<Compared | null> {
  const config = REPLAYABLE[name];
  if (config === undefined) return null;
  let compared = 0;
  const property = lockstepProperty(config, protocol, MAX_COMMANDS, (world) => {
    compared += world.comparisons;
    if (process.stdout.isTTY) process.stdout.write(`\r${name}: ${compared} steps`);
  });
  const started = performance.now();
  const details = await fc.check(property, { seed, numRuns: runs, endOnFailure: true });
  const seconds = (performance.now() - started) / 1000;
  console.log(
    `${process.stdout.isTTY ? "\r" : ""}${name}: seed ${seed}, ${details.numRuns} programs, ${speedText({ compared, seconds })}`,
  );
  if (!details.failed) return { compared, seconds };
  const message =
    details.errorInstance instanceof Error ? details.errorInstance.message : String(details.errorInstance);
  console.error(message);
  return null;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`Cannot run lockstep: ${error.message}`);
  console.error(usage);
  process.exitCode = 2;
}
