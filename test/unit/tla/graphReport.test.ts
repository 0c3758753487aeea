import { describe, expect, it } from "vitest";
import { type Result, report } from "../../../tla/tools/graph.ts";
import type { ModelConfig } from "../../../tla/tools/manifest.ts";
import { modelGraph } from "../../../tla/tools/modelGraph.ts";

const model: ModelConfig = {
  name: "IssueGraphWatchdog",
  question: "Is it the same graph?",
  hides: "nothing",
  module: "MCIssueGraph",
  config: "IssueGraphWatchdog.cfg",
  expect: { verdict: "holds" },
  distinct: 291,
  depth: 1,
  temporal: false,
  workers: 1,
  deep: false,
  graph: true,
};
const result: Result = {
  model,
  found: { states: 40, edges: 100, digest: "0123456789abcdef" },
  speed: { distinct: 40_000, generated: 100_001, seconds: 0.5 },
  seconds: 3,
  equal: true,
  differences: [],
};

describe("the report of npm run graph", () => {
  it("has the explorer's speed: states generated and distinct per second, for each configuration and together", () => {
    const lines = report(
      [result, { ...result, speed: { ...result.speed, seconds: 1.5 } as Result["speed"] }],
      [],
    );
    expect(lines).toMatch(/200,000 +80,000 +3\.0/);
    expect(lines).toMatch(/66,700 +26,700 +3\.0/);
    expect(lines).toContain(
      "explorer: 200,002 states generated, 80,000 distinct in 2.0 s: 100,000 generated/s, 40,000 distinct/s",
    );
  });

  it("has none where nothing was explored, or by a model that does not say it", () => {
    const lines = report([{ ...result, found: undefined, speed: undefined }], []);
    expect(lines).not.toContain("explorer:");
    expect(lines).toMatch(/IssueGraphWatchdog +- +- +- +- +- +3\.0/);
  });

  it("is given by the model's graph, and counts as TLC does: every successor, and the initial states", () => {
    const graph = modelGraph("IssueGraphWatchdog");
    const { distinct, generated, seconds } = graph.speed;
    expect(distinct).toBe([...graph.states].length);
    expect(generated).toBe([...graph.edges].length + [...graph.init].length);
    expect(seconds).toBeGreaterThan(0);
  });
});
