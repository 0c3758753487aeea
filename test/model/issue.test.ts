/** The algorithm of the issue: its holes, found without Java, in each fix and setting. */

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { explore, findViolation } from "../../model/explore.ts";
import { type Cell, FIX_VERDICTS, ISSUE_HOLES, type IssueHole } from "../../model/issue/holes.ts";
import { issueLock } from "../../model/issue/issueLock.ts";
import { type Config, FEATURES, FIXES, HOLES, PCS } from "../../model/issue/state.ts";
import { readIssueConfig } from "../../tla/tools/constants.ts";
import { comparableOf, describeAgainstTlc, describePinned } from "./againstTlc.ts";

const tla = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "tla");
const comparable = comparableOf(["MCIssueLock", "MCIssueGraph"]);

describeAgainstTlc(comparable);
describePinned(["MCIssueGraph"]);

const CELLS: readonly Cell[] = FIXES.flatMap((fix) => [
  { fix, startTime: true },
  { fix, startTime: false },
]);
const cellText = ({ fix, startTime }: Cell): string =>
  `${fix}, ${startTime ? "with" : "without"} start times`;
const scopeOf = (hole: IssueHole): Config => readIssueConfig(tla, `${hole.configuration}.cfg`);
const isOpenIn = (hole: IssueHole, cell: Cell): boolean =>
  hole.openIn.some(({ fix, startTime }) => fix === cell.fix && startTime === cell.startTime);

/** The first property, in the order of the specification, that a run violates. */
function violated(config: Config): string | undefined {
  return explore(issueLock, config).violation?.property;
}

describe("every hole, in each fix and setting, with all others closed", () => {
  it("is told once, in the order of the specification", () => {
    expect(ISSUE_HOLES.map(({ name }) => name)).toEqual([...HOLES]);
  });

  for (const hole of ISSUE_HOLES) {
    it(`${hole.configuration} leaves ${hole.name} open, alone, in a fix and a setting where it is`, () => {
      const scope = scopeOf(hole);
      expect(scope.openHoles).toEqual([hole.name]);
      expect(isOpenIn(hole, scope)).toBe(true);
      expect(comparable.map(({ name }) => name)).toContain(hole.configuration);
    });

    for (const cell of CELLS) {
      const scope = { ...scopeOf(hole), ...cell };
      if (isOpenIn(hole, cell)) {
        it(`${hole.name} is open: ${cellText(cell)}`, () => {
          const found = findViolation(issueLock, scope, hole.property);
          expect(found?.property).toBe(hole.property);
        });
        it(`${hole.name} is closed by its change: ${cellText(cell)}`, () => {
          expect(violated({ ...scope, openHoles: [] })).toBeUndefined();
        });
      } else {
        it(`${hole.name} is not there: ${cellText(cell)}`, () => {
          expect(violated(scope)).toBeUndefined();
        });
      }
    }
  }
});

/** Exclusive tasks that nothing befalls: no crash, no further feature. Every hole is open but those closed. */
function plain(cell: Cell, closed: readonly string[] = []): Config {
  const asItIs = readIssueConfig(tla, "IssueNoneAsItIs.cfg");
  const openHoles = HOLES.filter((hole) => !closed.includes(hole));
  return { ...asItIs, ...cell, openHoles, features: [], maxCrashes: 0 };
}

describe("is the fix enough (FIX_VERDICTS)", () => {
  it("says so about each fix", () => {
    expect(FIX_VERDICTS.map(({ fix }) => fix)).toEqual([...FIXES]);
    expect(FIX_VERDICTS.every(({ enough }) => !enough)).toBe(true);
  });

  it.each(FIXES)("%s, without start times: two holders, though nobody shares, crashes or is slow", (fix) => {
    expect(findViolation(issueLock, plain({ fix, startTime: false }), "MutualExclusion")).not.toBeNull();
  });

  it("with start times and nothing befalling, neither the algorithm nor fix A has a hole", () => {
    expect(violated(plain({ fix: "none", startTime: true }))).toBeUndefined();
    expect(violated(plain({ fix: "guardSet", startTime: true }))).toBeUndefined();
  });

  it("there, fix B makes one: LateDeleteHitsAnother, and no other", () => {
    const lateDelete: Cell = { fix: "lateDelete", startTime: true };
    expect(violated(plain(lateDelete))).toBe("NoGhostHolder");
    expect(findViolation(issueLock, plain(lateDelete), "NothingForgotten")).not.toBeNull();
    expect(violated(plain(lateDelete, ["LateDeleteHitsAnother"]))).toBeUndefined();
  });

  it("with start times one crash is enough for two holders, whatever the fix", () => {
    for (const fix of FIXES) {
      const crashing = { ...plain({ fix, startTime: true }), tasks: ["a1", "b1"], maxCrashes: 1 };
      expect(findViolation(issueLock, crashing, "MutualExclusion"), fix).not.toBeNull();
    }
  });
});

describe("one vocabulary in tla/IssueLock.tla and model/issue/", () => {
  const spec = readFileSync(join(tla, "IssueLock.tla"), "utf8");
  const between = (from: string, to: string): string => spec.slice(spec.indexOf(from), spec.indexOf(to));
  const quoted = (text: string): string[] => [...text.matchAll(/"(\w+)"/g)].map(([, word]) => word ?? "");

  it("the actions are the model's, in the same order", () => {
    const body = between("(* The actions *)", "\nTask(t) ==");
    const helpers = ["Dead", "Orphan", "TooOld", "Nothing"];
    const defined = [...body.matchAll(/^([A-Z]\w*)(?:\((?:t|x|p|n|p, n|s)\))? ==/gm)].map(
      ([, name]) => name ?? "",
    );
    expect(defined.filter((name) => !helpers.includes(name))).toEqual(issueLock.actions);
  });

  it("the variables are the fields of the model's state, in the same order", () => {
    const block = between("VARIABLES", "procVars ==");
    const names = [...block.matchAll(/^ {2}(\w+),? /gm)].map(([, name]) => name ?? "");
    const [initial] = issueLock.initialStates(plain({ fix: "none", startTime: true }));
    expect(names).toEqual(Object.keys(initial ?? {}));
  });

  it("the program counters are the model's", () => {
    const names = new Set([...quoted(between("Taking ==", "PCs ==")), "idle", "holding"]);
    expect([...names].sort()).toEqual([...PCS].sort());
  });

  it("holes, features and fixes are the model's, in the same order", () => {
    expect(quoted(between("Holes == {", "AllFeatures == {"))).toEqual([...HOLES]);
    expect(quoted(between("AllFeatures == {", "\nASSUME"))).toEqual([...FEATURES]);
    expect(quoted(/Fix \\in (\{.*?\})/.exec(spec)?.[1] ?? "")).toEqual([...FIXES]);
  });

  it("every hole that the specification names is one of the list, and is used", () => {
    const body = spec.slice(spec.indexOf("ASSUME"));
    const used = new Set([...body.matchAll(/"([A-Z]\w+)"/g)].map(([, name]) => name ?? ""));
    expect([...used].sort()).toEqual([...HOLES].sort());
  });

  it("the properties are defined in the specification, under the same names", () => {
    for (const { name } of [...issueLock.invariants, ...issueLock.stepProperties]) {
      expect(spec, name).toMatch(new RegExp(`^${name} ==`, "m"));
    }
  });
});
