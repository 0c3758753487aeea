import { describe, expect, it } from "vitest";
import { FILES } from "./files.ts";
import { below, countsOf, scoreOf } from "./score.ts";

const report = (...statuses: readonly string[]) => ({
  files: { "src/a.ts": { mutants: statuses.map((status) => ({ status })) } },
});

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
});
