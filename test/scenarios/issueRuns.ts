/** The shortest runs of the holes, driven on a real directory. */

import fs from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Counterexample, findViolation } from "../../model/explore.ts";
import type { IssueHole } from "../../model/issue/holes.ts";
import { issueLock } from "../../model/issue/issueLock.ts";
import type { Config, Hole, State } from "../../model/issue/state.ts";
import { readIssueConfig } from "../../tla/tools/constants.ts";
import { scratch } from "../lockstep/programs.ts";
import { IssueWorld } from "./issueWorld.ts";

const specifications = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "tla");

export interface ShortestRun {
  readonly config: Config;
  readonly run: Counterexample<State>;
}

/** The hole's configuration, and the shortest run that the explorer finds in it. */
export function shortestRun({ configuration, property, name }: IssueHole): ShortestRun {
  const config = readIssueConfig(specifications, `${configuration}.cfg`);
  const run = findViolation(issueLock, config, property);
  if (run === null) throw new Error(`${configuration} does not find ${name}`);
  return { config, run };
}

/** Runs `action` with a fixture on a fresh directory, which is removed afterwards. */
export function withIssueWorld<T>(
  config: Config,
  action: (world: IssueWorld) => T,
  openHoles?: readonly Hole[],
): T {
  const directory = fs.mkdtempSync(join(scratch(), "swl-issue-"));
  const world = new IssueWorld(config, directory, openHoles);
  try {
    return action(world);
  } finally {
    world.close();
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * Drives the run to its end, through its very states, or through any that the model of the world's configuration
 * allows by the same steps. Returns what the directory and the callers say before the last step.
 */
export function drive(
  world: IssueWorld,
  { states, labels }: Pick<Counterexample<State>, "states" | "labels">,
  through: "its states" | "any state" = "its states",
): readonly string[] {
  let before: readonly string[] = [];
  for (const [i, label] of labels.entries()) {
    before = world.violations();
    world.perform(label, states[i + 1], through);
  }
  return before;
}
