/**
 * The holes of MkdirMtime really happen: the shortest run of each, driven on the real proper-lockfile and a real directory,
 * and compared with the model after every step.
 */

import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { findViolation } from "../../model/explore.ts";
import { labelText } from "../../model/machine.ts";
import { MKDIR_MTIME_HOLES } from "../../model/peers/holes.ts";
import { type Config, mkdirMtime, type State } from "../../model/peers/mkdirMtime.ts";
import { parseLabel } from "../../model/pictures/picture.ts";
import { readMkdirMtimeConfig } from "../../tla/tools/constants.ts";
import { Driver } from "./properLockfile.ts";

const tla = new URL("../../tla", import.meta.url).pathname;

/** By name, so that the pages of spec/findings/ link to this file. */
const DRIVEN = [
  "MkdirMtimeTakeover",
  "MkdirMtimeOldLook",
  "MkdirMtimeRelease",
  "MkdirMtimeTouch",
  "MkdirMtimeUndo",
  "MkdirMtimeClock",
  "MkdirMtimeSuspended",
];

async function drive(config: Config, states: readonly State[], labels: readonly string[]): Promise<Driver> {
  const folder = fs.mkdtempSync(join(tmpdir(), "swl-proper-lockfile-"));
  onTestFinished(() => fs.rmSync(folder, { recursive: true, force: true }));
  const driver = new Driver(config, folder);
  await driver.warmUp();
  for (const [i, label] of labels.entries()) {
    const [before, after] = [states[i], states[i + 1]];
    if (before === undefined || after === undefined) throw new Error("a run without states");
    await driver.step(parseLabel(label), before);
    expect(driver.observe(), `after ${labels.slice(0, i + 1).join("; ")}`).toEqual(
      driver.expectation(config, after),
    );
  }
  return driver;
}

describe("the real proper-lockfile, along the shortest run of each hole", () => {
  it("is driven through every hole of MkdirMtime", () => {
    expect(DRIVEN).toEqual(MKDIR_MTIME_HOLES.map(({ configuration }) => configuration));
  });

  for (const { configuration, property, title } of MKDIR_MTIME_HOLES) {
    it(`${configuration}: ${title}`, async () => {
      const config = readMkdirMtimeConfig(tla, `${configuration}.cfg`);
      const found = findViolation(mkdirMtime, config, property);
      if (found === null) throw new Error(`${configuration} holds`);
      await drive(config, found.states, found.labels);
    });
  }

  it("is noticed when the clock is another than the run's", async () => {
    const config = readMkdirMtimeConfig(tla, "MkdirMtimeClock.cfg");
    const found = findViolation(mkdirMtime, config, "MutualExclusion");
    if (found === null) throw new Error("it holds");
    // With the right clock it finds nothing stale.
    await expect(drive({ ...config, ahead: [] }, found.states, found.labels)).rejects.toThrow("rmdir");
  });
});

/** A run of the model, by a choice for each step. */
function randomRun(config: Config, choices: readonly number[]): { states: State[]; labels: string[] } {
  const states = [...mkdirMtime.initialStates(config)];
  const labels: string[] = [];
  for (const choice of choices) {
    const steps = states.slice(-1).flatMap((state) => mkdirMtime.steps(config, state));
    const step = steps[choice % steps.length];
    if (step === undefined) break;
    states.push(step.next);
    labels.push(labelText(step.label));
  }
  return { states, labels };
}

describe("the real proper-lockfile, along random runs of MkdirMtime", () => {
  const open: Config = {
    ...readMkdirMtimeConfig(tla, "MkdirMtimeGraph.cfg"),
    ...{ procs: ["a", "b", "c"], stale: 2, maxTime: 4, maxIds: 10 },
  };
  /** Long enough for a takeover and what comes after it. Fixed: what fails once fails again. */
  const runs = { seed: 5, numRuns: 100, endOnFailure: true };
  const choices = fc.array(fc.nat({ max: 1_000 }), { minLength: 60, maxLength: 60 });
  const follows = (config: Config): Promise<void> =>
    fc.assert(
      fc.asyncProperty(choices, async (chosen) => {
        const { states, labels } = randomRun(config, chosen);
        await drive(config, states, labels);
      }),
      runs,
    ) as Promise<void>;

  it("does after every step what the model does", () => follows(open));

  it("does not do what the model does with a hole closed", async () => {
    await expect(follows({ ...open, closed: ["TakeoverByPath", "ReleaseByPath"] })).rejects.toThrow("after");
  });
});
