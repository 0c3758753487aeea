/** The algorithm of the issue: its holes, found without Java, in each fix and setting. */

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { explore, findViolation } from "../../model/explore.ts";
import { type Cell, FIX_VERDICTS, ISSUE_HOLES, type IssueHole } from "../../model/issue/holes.ts";
import { issueLock } from "../../model/issue/issueLock.ts";
import { type Config, FIXES, HOLES } from "../../model/issue/state.ts";
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

  it.each(FIXES)("%s: a handle of an exclusive lock that is released twice takes nothing away", (fix) => {
    const released = scopeOf(ISSUE_HOLES.find(({ name }) => name === "ReleaseTwice") as IssueHole);
    for (const startTime of [true, false]) {
      expect(released.openHoles).toEqual(["ReleaseTwice"]);
      expect(violated({ ...released, fix, startTime, reentrantTasks: [] })).toBeUndefined();
    }
  });

  it("with start times one crash is enough for two holders, whatever the fix", () => {
    for (const fix of FIXES) {
      const crashing = { ...plain({ fix, startTime: true }), tasks: ["a1", "b1"], maxCrashes: 1 };
      expect(findViolation(issueLock, crashing, "MutualExclusion"), fix).not.toBeNull();
    }
  });
});
