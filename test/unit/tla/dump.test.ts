import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parseDump, readDump } from "../../../tla/tools/dump.ts";
import { edgesFrom, graphDigest } from "../../../tla/tools/graphDigest.ts";

const recorded = fileURLToPath(new URL("../../support/tla/Values.dot", import.meta.url));
const recordedLines = (await readFile(recorded, "utf8")).split("\n");

const frame = (...lines: string[]): string[] => ["strict digraph DiskGraph {", ...lines, "}", "}"];

describe("the parser of dumps", () => {
  it("reads states, initial states and labelled edges of a recorded dump", async () => {
    const graph = await readDump(recorded);
    expect(graph.states).toHaveLength(4);
    expect(graph.labels).toEqual(["Stay", "Turn"]);
    // Four Turns from each of four states, and a Stay in each.
    expect(graph.edgeCount).toBe(20);
    expect([...graph.init].map((state) => graph.states[state])).toEqual([
      [
        String.raw`shape = [is |-> {2, 3, 4}] /\ text = "tab\tnl\nquote\"back\\slash /\\ x = 1" /\ wide = [`,
        "colours |-> (Green :> FALSE @@ Red :> TRUE), ",
        'name |-> "a name that is long enough to make TLC wrap the value", ',
        'names |-> {"another name that is long enough", "one more, and it begins with o"}, ',
        "nothing |-> <<<<>>, {}>>, offset |-> (5 :> -5 @@ 6 :> -6)]",
      ].join(""),
    ]);
  });

  it("keeps self loops and collapses equal edges", async () => {
    const graph = await parseDump(
      frame(
        '-1 [label="x = 0",style = filled]',
        '-1 -> -1 [label="Stay",color="black",fontcolor="black"];',
        '-1 -> 22 [label="Go",color="black",fontcolor="black"];',
        '-1 -> 22 [label="Go",color="black",fontcolor="black"];',
        '22 [label="x = 1"];',
        '-1 -> 22 [label="Run",color="black",fontcolor="black"];',
      ),
    );
    expect(graph.states).toEqual(["x = 0", "x = 1"]);
    expect([...edgesFrom(graph, 0)]).toEqual([
      { from: 0, label: "Stay", to: 0 },
      { from: 0, label: "Go", to: 1 },
      { from: 0, label: "Run", to: 1 },
    ]);
    expect(graph.edgeCount).toBe(3);
  });

  it("gives the same graph and digest whatever the order of lines", async () => {
    const body = recordedLines.slice(4, -2);
    const straight = await parseDump(frame(...body));
    const reversed = await parseDump(frame(...body.reverse()));
    expect(reversed.states).toEqual(straight.states);
    expect(graphDigest(reversed)).toBe(graphDigest(straight));
  });

  it.each<[string, string[]]>([
    ["a dump that was cut off", recordedLines.slice(0, 6)],
    ["an empty dump", []],
    ["an edge to a state that is not described", frame('1 [label="x = 0"]', '1 -> 2 [label="Go"];')],
    ["a line of another kind", frame("hello")],
    ["two states with one canonical text", frame('1 [label="x = {1, 2}"]', '2 [label="x = {2, 1}"];')],
    ["a state without a variable", frame('1 [label="x"]')],
  ])("refuses %s", async (_, lines) => {
    await expect(parseDump(lines)).rejects.toThrow(/^Cannot read TLC's dump: /);
  });
});

describe("graphDigest", () => {
  const base = ['1 [label="x = 0",style = filled]', '2 [label="x = 1"];', '1 -> 2 [label="Go"];'];
  const digestOf = async (...lines: string[]): Promise<string> =>
    graphDigest(await parseDump(frame(...lines)));

  it.each<[string, string[]]>([
    [
      "another initial state",
      ['1 [label="x = 0"]', '2 [label="x = 1",style = filled];', '1 -> 2 [label="Go"];'],
    ],
    ["another label", [...base.slice(0, 2), '1 -> 2 [label="Run"];']],
    ["another direction", [...base.slice(0, 2), '2 -> 1 [label="Go"];']],
    ["one more edge", [...base, '1 -> 1 [label="Go"];']],
    ["one more state", [...base, '3 [label="x = 2"];']],
    ["another value", [base[0] ?? "", '2 [label="x = 2"];', base[2] ?? ""]],
  ])("is different with %s", async (_, lines) => {
    expect(await digestOf(...lines)).not.toBe(await digestOf(...base));
  });
});
