import fs from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { HOLES } from "../../model/issue/state.ts";
import { disagreements } from "./describeReplays.ts";
import { REFUSED_IN, REPLAY_FILES, REPLAYS, titleIn } from "./replays.ts";

const here = dirname(fileURLToPath(import.meta.url));
const files = Object.keys(REPLAY_FILES);

describe("replays.ts, of which spec/findings/ is made, and the tests", () => {
  it("every hole is replayed, in the order of the specification", () => {
    expect(REPLAYS.map(({ hole }) => hole)).toEqual([...HOLES]);
  });

  it("every hole is driven step by step, and is refused by ours", () => {
    for (const hole of HOLES) {
      expect(titleIn("issueOnDisk.test.ts", hole), hole).toBeDefined();
      expect(titleIn(REFUSED_IN, hole), hole).toBeDefined();
    }
  });

  it("no two tests have one title", () => {
    const titles = files.flatMap((file) => HOLES.map((hole) => titleIn(file, hole))).filter(Boolean);
    expect(new Set(titles).size).toBe(titles.length);
  });

  // A test exists for each title because describeReplays makes it from the same list.
  it.each(files)("%s makes its tests from the list", (file) => {
    const text = fs.readFileSync(join(here, file), "utf8");
    expect(text).toMatch(/^describeReplays\($|^describeReplays\(import\.meta\.url,/m);
  });

  it("twin: a hole without a test, and a test without a hole, are told", () => {
    const body = (): void => {};
    const told = HOLES.filter((hole) => titleIn("issueInProcesses.test.ts", hole) !== undefined);
    const bodies = (holes: readonly string[]) => Object.fromEntries(holes.map((hole) => [hole, body]));
    expect(disagreements("issueInProcesses.test.ts", bodies(told))).toEqual([]);
    const others = [...told.filter((hole) => hole !== "StaleByPath"), "GuardRemovedEarly"];
    expect(disagreements("issueInProcesses.test.ts", bodies(others))).toEqual([
      "issueInProcesses.test.ts has no test for StaleByPath",
      "replays.ts has nothing for GuardRemovedEarly in issueInProcesses.test.ts",
    ]);
  });
});
