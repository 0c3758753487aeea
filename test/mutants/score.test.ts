import fs from "node:fs";
import { describe, expect, it } from "vitest";
import { FILES, unlisted } from "./files.ts";
import { below, countsOf, scoreOf } from "./score.ts";

const report = (...statuses: readonly string[]) => ({
  files: { "src/a.ts": { mutants: statuses.map((status) => ({ status })) } },
});

/** `a/{b,c}.ts` as `a/b.ts` and `a/c.ts`. */
function unfold(pattern: string): readonly string[] {
  const [, before = "", names, behind = ""] = /^(.*)\{(.*)\}(.*)$/.exec(pattern) ?? [];
  return names === undefined ? [pattern] : names.split(",").map((name) => before + name + behind);
}

describe("the score of a file", () => {
  it("counts the killed and the timed out, of all mutants", () => {
    const counts = countsOf(report("Killed", "Timeout", "Survived", "NoCoverage"), "src/a.ts");
    expect(counts).toEqual({ killed: 1, timedOut: 1, survived: 1, notCovered: 1 });
    expect(scoreOf(counts)).toBe(50);
    expect(below("src/a.ts", counts, 50)).toEqual([]);
  });

  it("twin: one survivor more is below the floor, and so is a file that Stryker did not mutate", () => {
    const counts = countsOf(report("Killed", "Survived", "Survived"), "src/a.ts");
    expect(below("src/a.ts", counts, 50)).toEqual(["src/a.ts: the score is 33.3 %, its floor 50.0 %"]);
    expect(below("src/b.ts", countsOf(report("Killed"), "src/b.ts"), 50)).toHaveLength(1);
  });

  it("twin: a mutant that was not run is an error", () => {
    expect(() => countsOf(report("Killed", "RuntimeError"), "src/a.ts")).toThrow("1 have no result");
  });

  it("has a floor for each file, above which there is something to lose", () => {
    expect(FILES.filter(({ floor, tests }) => !(floor > 50 && floor <= 100) || tests.length === 0)).toEqual(
      [],
    );
  });

  it("is measured of every file of src/, but for those that have a reason", () => {
    const src = new URL("../../src/", import.meta.url);
    const names = fs.readdirSync(src, { recursive: true, encoding: "utf8" });
    const sources = names.filter((name) => name.endsWith(".ts"));
    expect(sources.length).toBeGreaterThan(50);
    expect(unlisted(sources.map((name) => `src/${name}`))).toEqual([]);
  });

  it("twin: a file that is in no list is found, and one that is in two, or is not there", () => {
    const [one, two] = [{ file: "src/a.ts", tests: ["a"], floor: 90 }, { "src/b.ts": "a reason" }];
    expect(unlisted(["src/a.ts", "src/b.ts"], [one], two)).toEqual([]);
    expect(unlisted(["src/a.ts", "src/b.ts", "src/c.ts"], [one], two)).toEqual(["src/c.ts"]);
    expect(unlisted(["src/a.ts"], [one], two)).toEqual(["src/b.ts"]);
    expect(unlisted(["src/a.ts"], [one], { "src/a.ts": "a reason" })).toEqual(["src/a.ts"]);
  });

  it("is measured of the files that Stryker's own configuration names, with tests that are there", () => {
    const root = new URL("../../", import.meta.url);
    const { mutate } = JSON.parse(fs.readFileSync(new URL("stryker.config.json", root), "utf8")) as {
      mutate: readonly string[];
    };
    expect(FILES.map(({ file }) => file)).toEqual(mutate);
    const named = FILES.flatMap(({ file, tests }) => [file, ...tests.flatMap(unfold)]);
    expect(named.filter((path) => !fs.existsSync(new URL(path, root)))).toEqual([]);
  });
});
