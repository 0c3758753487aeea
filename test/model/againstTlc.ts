/** Without Java: the explorer must find what TLC found, according to tla/models.json. */

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readProperties } from "../../tla/tools/constants.ts";
import { buildGraph, graphDigest } from "../../tla/tools/graphDigest.ts";
import { type ModelConfig, readManifest } from "../../tla/tools/manifest.ts";
import { modelGraph, modelOf } from "../../tla/tools/modelGraph.ts";
import { violatedBy } from "../../tla/tools/tlcOutput.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const tla = join(root, "tla");
const { models } = await readManifest(tla);

/** Within the gate's time. */
const MOST_STATES = 100_000;

/**
 * What the explorer can answer about these modules: no liveness, no symmetry, nothing that is too large. What must
 * fail is small, also where TLC is asked only in a deep run: starting Java takes longer than the search.
 */
export function comparableOf(modules: readonly string[]): readonly ModelConfig[] {
  return models.filter(
    ({ module, temporal, deep, distinct, expect: { verdict } }) =>
      modules.includes(module) && !temporal && (!deep || verdict === "fails") && distinct <= MOST_STATES,
  );
}

export function describeAgainstTlc(comparable: readonly ModelConfig[]): void {
  describe("without Java, the explorer finds what TLC found (tla/models.json)", () => {
    for (const model of comparable) {
      if (model.expect.verdict === "holds") compareHolds(model);
      else compareFails(model, model.expect);
    }
  });
}

function compareHolds({ name, config, distinct, depth }: ModelConfig): void {
  it(`${name} holds, with the same number of states and the same depth`, () => {
    const found = modelOf(config.replace(/\.cfg$/, "")).check(readProperties(tla, config));
    expect(found.violation).toBeNull();
    expect(found.deadlock).toBeNull();
    expect({ distinct: found.distinct, depth: found.depth }).toEqual({ distinct, depth });
  });
}

function compareFails({ name, config }: ModelConfig, { line, trace }: { line: string; trace: number }): void {
  const violated = violatedBy(line);
  it(`${name}: ${violated}, in as many states`, () => {
    const found = modelOf(config.replace(/\.cfg$/, "")).findViolation(violated);
    expect(found?.property).toBe(violated);
    expect(found?.states).toHaveLength(trace);
    expect(found?.labels).toHaveLength(trace - 1);
  });
}

interface Pinned {
  readonly states: number;
  readonly edges: number;
  readonly digest: string;
}

export function describePinned(modules: readonly string[]): void {
  describe("without Java, the model's graph is the one that `npm run graph` compared with TLC's", () => {
    const pinned = JSON.parse(readFileSync(join(root, "model", "pinned.json"), "utf8")) as Record<
      string,
      Pinned
    >;
    const graphs = models.filter(({ module, graph, deep }) => modules.includes(module) && graph && !deep);
    it("there is one", () => expect(graphs).not.toEqual([]));
    for (const { name, config } of graphs) {
      it(`${name} has the pinned states, edges and digest`, () => {
        const graph = buildGraph(modelGraph(config.replace(/\.cfg$/, "")));
        expect({ states: graph.states.length, edges: graph.edgeCount, digest: graphDigest(graph) }).toEqual(
          pinned[name],
        );
      });
    }
  });
}
