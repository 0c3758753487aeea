import fs from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { ISSUE_HOLES } from "../../model/issue/holes.ts";
import { HOLES } from "../../model/issue/state.ts";
import { MKDIR_MTIME_HOLES, RENAME_ASIDE_HOLES } from "../../model/peers/holes.ts";
import { disagreements } from "./describeReplays.ts";
import { REFUSED_IN, REPLAY_FILES, REPLAYS, titleIn } from "./replays.ts";

const here = dirname(fileURLToPath(import.meta.url));
const files = Object.keys(REPLAY_FILES);

describe("replays.ts, of which spec/findings/ is made, and the tests", () => {
  it("every hole is replayed, in the order of the specification", () => {
    expect(REPLAYS.map(({ hole }) => hole)).toEqual([...HOLES]);
  });

  it("every hole of the issue's algorithm is driven step by step, happens in processes, and is refused by ours", () => {
    const issueFiles = files.filter((file) => file.startsWith("issue"));
    expect(issueFiles).toContain(REFUSED_IN);
    for (const { configuration } of ISSUE_HOLES) {
      for (const file of issueFiles) expect(titleIn(file, configuration), configuration).toBeDefined();
    }
  });

  it("every hole of the peers is replayed", () => {
    for (const { configuration } of [...MKDIR_MTIME_HOLES, ...RENAME_ASIDE_HOLES]) {
      const titles = files.map((file) => titleIn(file, configuration)).filter(Boolean);
      expect(titles, configuration).toHaveLength(1);
    }
  });

  // A test exists for each title because it is made from the same list.
  it.each(files)("%s makes its tests from the list", (file) => {
    const text = fs.readFileSync(join(here, file), "utf8");
    const makes = file.startsWith("issue") ? "\ndescribeReplays(" : `it(titleIn("${file}", configuration)`;
    expect(text).toContain(makes);
  });

  it("twin: a hole without a test, and a test without a hole, are told", () => {
    const body = (): void => {};
    const bodies = (holes: readonly string[]) => Object.fromEntries(holes.map((hole) => [hole, body]));
    expect(disagreements("issueInProcesses.test.ts", bodies(HOLES))).toEqual([]);
    const others = [...HOLES.filter((hole) => hole !== "StaleByPath"), "LaterHole"];
    expect(disagreements("issueInProcesses.test.ts", bodies(others))).toEqual([
      "issueInProcesses.test.ts has no test for StaleByPath",
      "replays.ts has nothing for LaterHole in issueInProcesses.test.ts",
    ]);
  });
});
