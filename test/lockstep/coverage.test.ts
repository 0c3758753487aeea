import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { ACTIONS } from "../../model/actions.ts";
import * as protocol from "../../src/protocol.ts";
import { lockstepProperty } from "./programs.ts";
import { SCOPES } from "./scopes.ts";

const RUNS = 400;
const SEED = 11;
/** A limit for what hangs: it takes some 20 s on two busy cores. */
const TIMEOUT_MS = 300_000;

// Random schedules reach these; `npm run exhaust` reaches every edge, at smaller scopes. Pinned from below, so that a harness
// that stops to drive something is noticed.
const LEAST_KINDS = 79;

/** In how many ways a call fails: it happened or not; and where it may outlive its reply, it happens later, or again. */
const LOCAL_FAULTS = ["fails", "fails, happened"];
// Restore comes too seldom: its scope of scopes.ts has every schedule.
const FAULTS: Readonly<Record<string, readonly string[]>> = {
  Prepare: [...LOCAL_FAULTS, "fails, made the directory", "fails, made one file"],
  Take: [...LOCAL_FAULTS, "fails, later", "fails, happened, later", "runs twice"],
  Evict: [...LOCAL_FAULTS, "fails, later", "fails, happened, later"],
  Clear: [...LOCAL_FAULTS, "fails, later", "fails, happened, later"],
  PutBack: LOCAL_FAULTS,
  Drop: [...LOCAL_FAULTS, "fails, later", "fails, happened, later"],
  Retry: [...LOCAL_FAULTS, "fails, later", "fails, happened, later"],
};

describe("random lockstep drives every action", () => {
  const driven = new Set<string>();
  const faults = new Set<string>();

  beforeAll(async () => {
    for (const config of Object.values(SCOPES)) {
      const property = lockstepProperty(config, protocol, 60, (world) => {
        for (const kind of world.driven) driven.add(kind);
        for (const text of world.trace) {
          const [, action, how] = /^(\w+)\([^)]*\) ((?:fails|runs).*)$/.exec(text) ?? [];
          if (action !== undefined) faults.add(`${action} ${how}`);
        }
      });
      await fc.assert(property, { seed: SEED, numRuns: RUNS, endOnFailure: true });
    }
  }, TIMEOUT_MS);

  it(`every action of the specification, and at least ${LEAST_KINDS} kinds of edges, are driven on the real lock`, () => {
    const actions = new Set([...driven].map((kind) => kind.split(" ")[0]));
    expect(ACTIONS.filter((action) => !actions.has(action))).toEqual([]);
    console.log(`lockstep: ${driven.size} kinds of edges driven\n  ${[...driven].sort().join("\n  ")}`);
    expect(driven.size).toBeGreaterThanOrEqual(LEAST_KINDS);
  });

  it("every call that changes the disk fails in every way: it happened or not, and happens later where it can", () => {
    const expected = Object.entries(FAULTS).flatMap(([action, ways]) =>
      ways.map((way) => `${action} ${way}`),
    );
    const found = [...faults].filter((fault) => !fault.startsWith("Restore"));
    expect(found.sort()).toEqual(expected.sort());
  });
});
