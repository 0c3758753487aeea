/** The algorithm of the issue on a real directory, along the shortest run of every hole. */

import fs from "node:fs";
import { describe, expect, it } from "vitest";
import { ISSUE_HOLES, type IssueHole } from "../../model/issue/holes.ts";
import { issueLock } from "../../model/issue/issueLock.ts";
import { HOLES } from "../../model/issue/state.ts";
import { describeReplays } from "./describeReplays.ts";
import { drive, type ShortestRun, shortestRun, withIssueWorld } from "./issueRuns.ts";
import { Divergence, type IssueWorld, NO_SUCH_STEP } from "./issueWorld.ts";
import { REPLAYS } from "./replays.ts";

const runs: ReadonlyMap<string, ShortestRun> = new Map(
  ISSUE_HOLES.map((hole) => [hole.name, shortestRun(hole)] as const),
);
const runOf = ({ name }: IssueHole): ShortestRun => {
  const found = runs.get(name);
  if (found === undefined) throw new Error(`no run for ${name}`);
  return found;
};

const holdersOf = (world: IssueWorld): string[] =>
  world
    .holders()
    .map(({ task }) => task)
    .sort();

describeReplays(
  import.meta.url,
  "the shortest run of a hole, on a real directory, each step compared with the model's",
  ({ holders, file }, hole) => {
    const { config, run } = runOf(hole);
    withIssueWorld(config, (world) => {
      const before = drive(world, run);
      expect(before, "before the last step").not.toContain(hole.property);
      expect(world.violations()).toContain(hole.property);
      expect(holdersOf(world)).toEqual(holders);
      expect(world.ownerAtLock()).toBe(file);
    });
  },
);

describe("the algorithm with every hole open, as the issue has it", () => {
  it.each(ISSUE_HOLES)("$name: comes to the same end by the same steps", (hole) => {
    const { config, run } = runOf(hole);
    withIssueWorld({ ...config, openHoles: HOLES }, (world) => {
      drive(world, hole.name === "StaleByPath" ? afterTheWrite(run) : run, "any state");
      expect(world.violations()).toContain(hole.property);
    });
  });

  /** There the owner must have written before it dies, or nothing is read of it. */
  function afterTheWrite(run: ShortestRun["run"]): ShortestRun["run"] {
    const at = run.labels.indexOf("Open(a1)") + 1;
    const [before, after] = [run.labels.slice(0, at), run.labels.slice(at)];
    return { ...run, states: [], labels: [...before, "Opened(a1)", "Write(a1)", ...after] };
  }
});

describe("the smallest change of a hole", () => {
  it.each(REPLAYS)("$hole: refuses the same run at $closedAt", ({ hole, closedAt }) => {
    const found = ISSUE_HOLES.find(({ name }) => name === hole);
    if (found === undefined) throw new Error(`no hole ${hole}`);
    const { config, run } = runOf(found);
    withIssueWorld({ ...config, openHoles: [] }, (world) => {
      expect(stepThatIsGone(() => drive(world, run, "any state"))).toBe(closedAt);
      expect(world.violations()).toEqual([]);
    });
  });

  /** Where the run cannot go on; not where the fixture and the model differ. */
  function stepThatIsGone(action: () => void): string {
    try {
      action();
    } catch (error) {
      if (error instanceof Divergence && error.what === NO_SUCH_STEP) return error.step;
      throw error;
    }
    return "the end";
  }
});

describe("twin: a fixture without the hole, and a model with it", () => {
  it.each(ISSUE_HOLES)("$name: the comparison catches it", (hole) => {
    const { config, run } = runOf(hole);
    withIssueWorld(config, (world) => expect(() => drive(world, run)).toThrow(Divergence), []);
  });
});

describe("one vocabulary in the fixture and in tla/IssueLock.tla", () => {
  it("every action is a labelled step, or a call, of the fixture; the others are the environment's", () => {
    const source = fs.readFileSync(new URL("issueLock.ts", import.meta.url), "utf8");
    const labelled = [...source.matchAll(/\b(?:call|turn)\("([A-Z]\w+)"|action: "([A-Z]\w+)",/g)];
    const calls = [...source.matchAll(/^\/\*\* (`.*?):? .*\n(?: \*.*\n)*export function/gm)];
    const found = new Set([
      ...labelled.map(([, step, action]) => step ?? action ?? ""),
      ...calls.flatMap(([comment]) => [...comment.matchAll(/`([A-Z]\w+)`/g)].map(([, name]) => name ?? "")),
    ]);
    const environment = ["Crash", "Start", "Age"];
    expect([...found].sort()).toEqual(issueLock.actions.filter((name) => !environment.includes(name)).sort());
  });
});
