import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { plainText, sequenceDiagram } from "../../../model/pictures/mermaid.ts";
import type { Picture } from "../../../model/pictures/picture.ts";
import { mermaidMistakes } from "../../support/mermaidGrammar.ts";

const picture: Picture = {
  lanes: [
    { id: "a1", title: "task a1", group: "process a" },
    { id: "HELD_a", title: "HELD_LOCKS", group: "process a" },
    { id: "L", title: "a.jsonl.lock" },
    { id: "b1", title: "task b1", group: "process b" },
  ],
  steps: [
    {
      label: { action: "Take", arg: "a1" },
      act: { kind: "call", from: "a1", to: "L", text: "rename" },
      notes: [{ over: "L", text: "the directory of a" }],
    },
    {
      label: { action: "Wake", arg: "b1" },
      act: { kind: "call", from: "b1", to: "b1", text: "" },
      notes: [],
    },
    {
      label: { action: "Crash", arg: "a" },
      act: { kind: "event", over: ["HELD_a", "a1"], text: "process a is killed" },
      notes: [],
    },
  ],
};

describe("a picture as a Mermaid sequence diagram", () => {
  it("has a box for each group, an arrow or a note for each step, and a note for each change", () => {
    expect(sequenceDiagram(picture).split("\n")).toEqual([
      "sequenceDiagram",
      "    box transparent process a",
      "    participant a1 as task a1",
      "    participant HELD_a as HELD_LOCKS",
      "    end",
      "    participant L as a.jsonl.lock",
      "    box transparent process b",
      "    participant b1 as task b1",
      "    end",
      "    a1->>L: 1. Take, rename",
      "    Note over L: the directory of a",
      "    b1->>b1: 2. Wake",
      "    Note over a1,HELD_a: 3. Crash, process a is killed",
    ]);
    expect(mermaidMistakes(sequenceDiagram(picture))).toEqual([]);
  });

  it("has one lane under a note about one lane", () => {
    const [, , crash] = picture.steps;
    if (crash === undefined) throw new Error("no step");
    const act = { kind: "event", over: ["L"], text: "x" } as const;
    const diagram = sequenceDiagram({ ...picture, steps: [{ ...crash, act }] });
    expect(diagram).toContain("Note over L: 1. Crash, x");
  });

  it.each([
    ["a;b", "a,b"],
    ["#1", "no. 1"],
    ["two\nlines\r\n\tand  more", "two lines and more"],
    ["50%% or 50%", "50% or 50%"],
    ["$$x$$", "$x$"],
    ["<<a, 1>>", "((a, 1))"],
    ["a -->> b: end", "a --)) b: end"],
  ])("writes %j as %j", (text, plain) => {
    expect(plainText(text)).toBe(plain);
  });

  it("survives any text", () => {
    const anyText = fc.string({ unit: fc.oneof(fc.constantFrom(..."#;<>%$\n\r:,- "), fc.string()) });
    fc.assert(
      fc.property(anyText, anyText, anyText, (title, text, note) => {
        const lanes = [{ id: "L", title: `L ${title}`, group: `G ${title}` }];
        const act = { kind: "call", from: "L", to: "L", text } as const;
        const notes = [{ over: "L", text: `N ${note}` }];
        const steps = [{ label: { action: "Act", arg: "" }, act, notes }];
        expect(mermaidMistakes(sequenceDiagram({ lanes, steps }))).toEqual([]);
      }),
    );
  });
});

describe("the check of Mermaid's grammar", () => {
  const good = "sequenceDiagram\n    participant a as x\n    a->>a: 1. Take";
  it.each([
    ["another diagram", "flowchart\n    participant a as x"],
    ["a text with a semicolon", good.replace("Take", "Take; more")],
    ["a text with a number sign", good.replace("Take", "Take #1")],
    ["a tag", good.replace("Take", "<b>Take")],
    ["an empty text", good.replace("1. Take", "")],
    ["a comment", good.replace("Take", "Take %% no")],
    ["a lane that is not declared", good.replace("a->>a", "a->>b")],
    ["a note over a lane that is not declared", `${good}\n    Note over a,b: x`],
    ["a lane twice", `${good}\n    participant a as y`],
    ["a reserved word as a lane", good.replaceAll("a->>a", "end->>end")],
    ["another arrow", good.replace("->>", "=>")],
    ["a box that is not closed", `${good}\n    box transparent x`],
    ["a box in a box", `${good}\n    box transparent x\n    box transparent y\n    end`],
    ["an end of nothing", `${good}\n    end`],
  ])("finds %s", (_what, diagram) => {
    expect(mermaidMistakes(good)).toEqual([]);
    expect(mermaidMistakes(diagram)).not.toEqual([]);
  });
});
