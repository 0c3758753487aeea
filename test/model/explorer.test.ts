import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { explore, findViolation } from "../../model/explore.ts";
import { ownerDirectory } from "../../model/ownerDirectory.ts";
import { readModelConfig } from "../../tla/tools/constants.ts";
import { buildGraph, graphDigest } from "../../tla/tools/graphDigest.ts";
import { type ModelConfig, readManifest } from "../../tla/tools/manifest.ts";
import { graphOf } from "../../tla/tools/modelGraph.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const tla = join(root, "tla");
const { models } = await readManifest(tla);

/** What the explorer can answer: no liveness, no symmetry, and within the gate's time. */
const MOST_STATES = 100_000;
const comparable = models.filter(
  ({ module, temporal, deep, distinct }) =>
    ["MCOwnerDirectory", "MCGraph"].includes(module) && !temporal && !deep && distinct <= MOST_STATES,
);

/** What the expected line of TLC says: an invariant or a step property by name, or `Deadlock`. */
function violatedBy({ expect: expected }: ModelConfig): string | undefined {
  if (expected.verdict === "holds") return undefined;
  if (expected.line === "Error: Deadlock reached.") return "Deadlock";
  return /(?:Invariant|Action property) (\w+) is violated/.exec(expected.line)?.[1] ?? expected.line;
}

describe("without Java, the explorer finds what TLC found (tla/models.json)", () => {
  for (const model of comparable) {
    const violated = violatedBy(model);
    if (violated === undefined) {
      it(`${model.name} holds, with the same number of states and the same depth`, () => {
        const found = explore(ownerDirectory, readModelConfig(tla, model.config));
        expect(found.violation).toBeNull();
        expect(found.deadlock).toBeNull();
        expect({ distinct: found.distinct, depth: found.depth }).toEqual({
          distinct: model.distinct,
          depth: model.depth,
        });
      });
    } else {
      it(`${model.name}: ${violated}, in as many states`, () => {
        const found = findViolation(ownerDirectory, readModelConfig(tla, model.config), violated);
        expect(found?.property).toBe(violated);
        const trace = model.expect.verdict === "fails" ? model.expect.trace : 0;
        expect(found?.states).toHaveLength(trace);
        expect(found?.labels).toHaveLength(trace - 1);
      });
    }
  }

  it("has something to compare for most of the manifest", () => {
    expect(comparable.length).toBeGreaterThanOrEqual(15);
  });
});

interface Pinned {
  readonly states: number;
  readonly edges: number;
  readonly digest: string;
}

describe("without Java, the model's graph is the one that `npm run graph` compared with TLC's", () => {
  const pinned = JSON.parse(readFileSync(join(root, "model", "pinned.json"), "utf8")) as Record<
    string,
    Pinned
  >;
  for (const { name, config } of models.filter(({ graph, deep }) => graph && !deep)) {
    it(`${name} has the pinned states, edges and digest`, () => {
      const graph = buildGraph(graphOf(readModelConfig(tla, config)));
      expect({ states: graph.states.length, edges: graph.edgeCount, digest: graphDigest(graph) }).toEqual(
        pinned[name],
      );
    });
  }
});
