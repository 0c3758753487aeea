import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { readManifest, validateManifest, withNumbers } from "../../../tla/tools/manifest.ts";
import { fixtures, temporaryFolder } from "./toolsHarness.ts";

type Entry = Record<string, unknown>;

const text = await readFile(join(fixtures, "models.json"), "utf8");
const { models: valid } = JSON.parse(text) as { models: Entry[] };
const named = (name: string): Entry => structuredClone(valid.find((entry) => entry["name"] === name) ?? {});

function mistakesOf(entry: Entry): string {
  return validateManifest({ models: [entry] }).mistakes.join("; ");
}

describe("the manifest", () => {
  it("accepts the fixtures", async () => {
    const { models } = await readManifest(fixtures);
    expect(models.map((model) => model.name)).toEqual(valid.map((entry) => entry["name"]));
  });

  it.each<[string, Entry, string]>([
    ["an unknown key", { ...named("Holds"), distnct: 3 }, 'Holds: unknown key "distnct"'],
    ["no question", { ...named("Holds"), question: " " }, '"question" must be a sentence'],
    [
      "no word on what the bounds hide",
      { ...named("Holds"), hides: undefined },
      '"hides" must be a sentence',
    ],
    ["a number as text", { ...named("Holds"), distinct: "13" }, '"distinct" must be a number'],
    ["a holding one without depth", { ...named("Holds"), depth: undefined }, 'needs "depth"'],
    ["two workers", { ...named("Holds"), workers: 2 }, '"workers" must be 1 or "auto"'],
    ["no word on temporal", { ...named("Holds"), temporal: undefined }, '"temporal" must be true or false'],
    [
      "a temporal one with several workers",
      { ...named("Fair"), workers: "auto" },
      'temporal properties need "workers": 1',
    ],
    [
      "a failing one with several workers",
      { ...named("Rude"), workers: "auto" },
      "must-fail configuration needs",
    ],
    [
      "a failing one without line",
      { ...named("Rude"), expect: { verdict: "fails", trace: 3 } },
      '"line" and "trace"',
    ],
    [
      "a line that is no violation",
      {
        ...named("Rude"),
        expect: { verdict: "fails", line: "Error: TLC threw an unexpected exception.", trace: 3 },
      },
      '"line" must be a whole line',
    ],
    ["a failing one with a graph", { ...named("Rude"), graph: true }, "not cut short by a violation"],
    [
      "a temporal line without temporal",
      { ...named("Unfair"), temporal: false },
      'that line needs "temporal": true',
    ],
    ["another verdict", { ...named("Holds"), expect: { verdict: "maybe" } }, '"holds" or "fails"'],
    ["a config elsewhere", { ...named("Holds"), config: "../Holds.cfg" }, '"config" must be the name'],
  ])("refuses %s", (_, entry, mistake) => {
    expect(mistakesOf(entry)).toContain(mistake);
  });

  it("refuses a name that is used twice, an empty list and keys beside the list", () => {
    expect(validateManifest({ models: [named("Holds"), named("Holds")] }).mistakes).toEqual([
      "Holds: the name is used twice",
    ]);
    expect(validateManifest({ models: [] }).mistakes).toHaveLength(1);
    expect(validateManifest({ models: [named("Holds")], more: 1 }).mistakes).toHaveLength(1);
    expect(validateManifest([]).mistakes).toHaveLength(1);
  });

  it.each<[string, (dir: string) => Promise<unknown>, string]>([
    [
      "a configuration that is not listed",
      (dir) => writeFile(join(dir, "More.cfg"), "INIT Init\n"),
      "More.cfg is not listed",
    ],
    [
      "a listed configuration that is not there",
      (dir) => rm(join(dir, "Rude.cfg")),
      "Rude: there is no Rude.cfg",
    ],
    ["a module that is not there", (dir) => rm(join(dir, "Values.tla")), "Values: there is no Values.tla"],
    ["text that is not JSON", (dir) => writeFile(join(dir, "models.json"), "{"), "Cannot parse models.json"],
    ["no manifest", (dir) => rm(join(dir, "models.json")), "Cannot read models.json"],
    [
      "a deadlock check that is off",
      (dir) => writeFile(join(dir, "Rude.cfg"), "INIT Init\nCHECK_DEADLOCK FALSE\n"),
      "switches the deadlock check off",
    ],
    [
      "a temporal configuration whose property is only a comment",
      (dir) => writeFile(join(dir, "Fair.cfg"), "SPECIFICATION FairSpec\n\\* PROPERTY SomebodyGetsIt\n"),
      "has no PROPERTY",
    ],
    [
      "symmetry in a graph",
      (dir) => writeFile(join(dir, "Holds.cfg"), "INIT Init\nSYMMETRY Parties\n"),
      "has SYMMETRY or VIEW",
    ],
  ])("refuses %s", async (_, spoil, mistake) => {
    const dir = await temporaryFolder(onTestFinished);
    await cp(fixtures, dir, { recursive: true });
    await spoil(dir);
    await expect(readManifest(dir)).rejects.toThrow(mistake);
  });
});

describe("withNumbers", () => {
  it("changes nothing without changes", () => {
    expect(withNumbers(text, new Map())).toBe(text);
  });

  it("changes the numbers of one model and never its verdict", () => {
    const numbers = { distinct: 99, depth: undefined, generated: 100, trace: 7 };
    const changed = JSON.parse(withNumbers(text, new Map([["Rude", numbers]]))) as { models: Entry[] };
    const { depth: _, ...rude } = named("Rude");
    const expected = { ...rude, distinct: 99, expect: { ...(rude["expect"] as Entry), trace: 7 } };
    expect(changed.models).toEqual(valid.map((entry) => (entry["name"] === "Rude" ? expected : entry)));
  });

  it("changes nothing else in the text, and adds a depth that TLC prints now", () => {
    const { depth: _, ...rude } = named("Rude");
    const before = JSON.stringify(
      { models: [{ ...rude, question: 'Is {"depth": 1} a trap?' }, named("Holds")] },
      null,
      2,
    );
    const numbers = { distinct: 99, depth: 3, generated: undefined, trace: 3 };
    const after = withNumbers(before, new Map([["Rude", numbers]]));
    expect(after).toBe(before.replace('"distinct": 4,', '"distinct": 99,\n      "depth": 3,'));
  });
});
