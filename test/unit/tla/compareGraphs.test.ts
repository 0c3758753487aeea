import { describe, expect, it } from "vitest";
import { compareGraphs, type GraphDifferences } from "../../../tla/tools/graph.ts";
import { buildGraph, type GraphSource } from "../../../tla/tools/graphDigest.ts";

const source = {
  init: ["pc = 0 /\\ x = {}"],
  states: ["pc = 0 /\\ x = {}", "pc = 1 /\\ x = {}", "pc = 2 /\\ x = {1}"],
  edges: [
    ["pc = 0 /\\ x = {}", "Take_a1", "pc = 1 /\\ x = {}"],
    ["pc = 1 /\\ x = {}", "Put_a1", "pc = 2 /\\ x = {1}"],
    ["pc = 2 /\\ x = {1}", "Done", "pc = 2 /\\ x = {1}"],
  ],
} as const satisfies GraphSource;

function differences(other: GraphSource): GraphDifferences {
  return compareGraphs(buildGraph(source), buildGraph(other));
}

function counts(found: GraphDifferences): Record<string, number> {
  const { equal: _, ...sides } = found;
  return Object.fromEntries(
    Object.entries(sides).flatMap(([key, { count }]) => (count > 0 ? [[key, count]] : [])),
  );
}

describe("compareGraphs", () => {
  it("finds nothing between equal graphs, in whatever order they were found", () => {
    const other = { ...source, states: [...source.states].reverse(), edges: [...source.edges].reverse() };
    expect(differences(other).equal).toBe(true);
    expect(counts(differences(other))).toEqual({});
  });

  it("finds a missing state, with the edges that lead there", () => {
    const found = differences({
      ...source,
      states: source.states.slice(0, 2),
      edges: source.edges.slice(0, 1),
    });
    expect(found.equal).toBe(false);
    expect(counts(found)).toEqual({ onlyLeftStates: 1, onlyLeftEdges: 2 });
    expect(found.onlyLeftStates.examples[0]).toContain("    pc = 2\n    x = {1}");
    expect(found.onlyLeftEdges.examples[0]).toContain("there: no Put_a1 from this state, only nothing");
    expect(found.onlyLeftEdges.examples[1]).toContain("there: no such source state");
  });

  it("finds a missing edge", () => {
    const found = differences({ ...source, edges: source.edges.slice(0, 2) });
    expect(counts(found)).toEqual({ onlyLeftEdges: 1 });
    expect(found.onlyLeftEdges.examples[0]).toMatch(
      /^Done from\n {4}pc = 2\n {4}x = \{1\}\n {2}changes nothing/,
    );
  });

  it("finds an edge with another label", () => {
    const [first, , last] = source.edges;
    const renamed = ["pc = 1 /\\ x = {}", "Drop_a1", "pc = 2 /\\ x = {1}"] as const;
    const found = differences({ ...source, edges: [first, renamed, last] });
    expect(counts(found)).toEqual({ onlyLeftEdges: 1, onlyRightEdges: 1 });
    expect(found.onlyLeftEdges.examples[0]).toContain("there: no Put_a1 from this state, only Drop_a1");
  });

  it("finds an edge that leads elsewhere, and says which variables differ", () => {
    const [first, , last] = source.edges;
    const elsewhere = ["pc = 1 /\\ x = {}", "Put_a1", "pc = 0 /\\ x = {}"] as const;
    const found = differences({ ...source, edges: [first, elsewhere, last] });
    expect(counts(found)).toEqual({ onlyLeftEdges: 1, onlyRightEdges: 1 });
    const example = found.onlyLeftEdges.examples[0];
    expect(example).toContain("changes\n    pc: 1 -> 2\n    x: {} -> {1}");
    expect(example).toContain(
      "there, Put_a1 leads elsewhere (here -> there)\n    pc: 2 -> 0\n    x: {1} -> {}",
    );
  });

  it("finds another initial state", () => {
    const found = differences({ ...source, init: ["pc = 1 /\\ x = {}"] });
    expect(counts(found)).toEqual({ onlyLeftInit: 1, onlyRightInit: 1 });
  });

  it("counts all and shows three", () => {
    const states = Array.from({ length: 10 }, (_, n) => `pc = ${n} /\\ x = {}`);
    const found = compareGraphs(buildGraph({ init: [], states, edges: [] }), buildGraph(source));
    expect(found.onlyLeftStates.count).toBe(8);
    expect(found.onlyLeftStates.examples).toHaveLength(3);
  });

  it("refuses an edge to a state that is not listed", () => {
    expect(() => buildGraph({ ...source, states: source.states.slice(0, 2) })).toThrow("Cannot build graph");
  });
});
