import { describe, expect, it } from "vitest";
import { comparePinned, readPinned, runScope } from "./exhaust.ts";
import { kindOf, LEDGER } from "./ledger.ts";
import { EXHAUSTIVE_SCOPES } from "./scopes.ts";

// tests G16

/** A limit for what hangs: the longest takes a minute on two busy cores. */
const TIMEOUT_MS = 600_000;

const scopes = Object.entries(EXHAUSTIVE_SCOPES);
const pinned = readPinned();

describe("every schedule: each step of the real lock is an edge of the model, and each edge is driven or in the ledger", () => {
  for (const [name] of scopes.filter(([, { gate }]) => gate)) {
    it(
      name,
      async () => {
        const result = await runScope(name);
        const { edges, edgesDriven, steps, replayed, seconds } = result;
        console.log(
          `exhaust ${name}: ${edgesDriven} of ${edges} edges driven, ${steps} steps (${replayed} on known ways), ${Math.round(steps / seconds)}/s`,
        );
        expect(result.failures).toEqual([]);
        expect(comparePinned(result, pinned[name])).toEqual([]);
      },
      TIMEOUT_MS,
    );
  }
});

describe("the pinned numbers of the exhaustive scopes", () => {
  it("are there for every scope, and for no other", () => {
    expect(Object.keys(pinned)).toEqual(scopes.map(([name]) => name));
  });

  it("leave nothing open: what was not driven is in the ledger, or behind it", () => {
    for (const [name, { edges, edgesDriven, ledger, behind }] of Object.entries(pinned)) {
      const excused = Object.values(ledger).reduce((sum, count) => sum + count, 0);
      expect(edgesDriven + excused + behind, name).toBe(edges);
    }
  });

  it("show every kind of edge of the ledger driven, where the code has counted far enough", () => {
    const atBound = new Set(Object.values(pinned).flatMap((numbers) => numbers.atBound));
    expect([...atBound].sort()).toEqual([...new Set(LEDGER.map(kindOf))].sort());
  });

  it("have the scopes that the ledger names", () => {
    const named = LEDGER.flatMap((entry) => entry.scopes.map((scope) => `${scope}: ${kindOf(entry)}`));
    const found = Object.entries(pinned).flatMap(([scope, { ledger }]) =>
      Object.keys(ledger).map((kind) => `${scope}: ${kind}`),
    );
    expect(found.sort()).toEqual(named.sort());
  });
});
