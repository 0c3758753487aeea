import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ACTIONS } from "../../model/actions.ts";
import * as protocol from "../../src/protocol.ts";
import { lockstepProperty } from "./programs.ts";
import { SCOPES } from "./scopes.ts";

const RUNS = 400;
const SEED = 11;

// Random schedules reach these; `npm run exhaust` reaches every edge, at smaller scopes. Pinned from below, so that a harness
// that stops to drive something is noticed.
const LEAST_KINDS = 66;

describe("random lockstep drives every action", () => {
  it(`every action of the specification, and at least ${LEAST_KINDS} kinds of edges, are driven on the real lock`, async () => {
    const driven = new Set<string>();
    for (const config of Object.values(SCOPES)) {
      const property = lockstepProperty(config, protocol, 60, (world) => {
        for (const kind of world.driven) driven.add(kind);
      });
      await fc.assert(property, { seed: SEED, numRuns: RUNS, endOnFailure: true });
    }
    const actions = new Set([...driven].map((kind) => kind.split(" ")[0]));
    expect(ACTIONS.filter((action) => !actions.has(action))).toEqual([]);
    console.log(`lockstep: ${driven.size} kinds of edges driven\n  ${[...driven].sort().join("\n  ")}`);
    expect(driven.size).toBeGreaterThanOrEqual(LEAST_KINDS);
  });
});
