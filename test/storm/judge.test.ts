import { describe, expect, it } from "vitest";
import { STAGE, WORD } from "./board.mjs";
import {
  type Finding,
  FindingJudge,
  judgeCounters,
  judgeLeftovers,
  judgeWarnings,
  type Killed,
} from "./judge.ts";

/** The record of a life whose first task is in a section of that file, or in none. */
function record(stage: keyof typeof STAGE, file = 0, updates = 0): Uint32Array {
  const words = new Uint32Array(32);
  words[WORD.stage] = STAGE[stage];
  words[WORD.file] = file;
  words[WORD.updates + file] = updates;
  return words;
}

const killedAt = (at: number, of: Uint32Array): Killed => ({ at: BigInt(at), record: () => of });

function found(who: string, at: number, by = 9): Finding & { readonly is: "in the way" } {
  return { life: by, task: 0, at: String(at), is: "in the way", file: 0, found: who };
}

describe("a marker in the way", () => {
  const judge = (...killed: readonly (readonly [number, Killed])[]): FindingJudge =>
    new FindingJudge(new Map(killed));

  it("is explained by one who was killed before, inside of that file", () => {
    expect(judge([1, killedAt(10, record("entered"))]).judge(found("1.0", 11))).toBeUndefined();
    expect(judge([1, killedAt(10, record("wrote"))]).judge(found("1.0", 11))).toBeUndefined();
  });

  it.each([
    ["of one who was not killed", judge().judge(found("1.0", 11))],
    ["found before the kill", judge([1, killedAt(12, record("entered"))]).judge(found("1.0", 11))],
    ["of one who was outside", judge([1, killedAt(10, record("outside"))]).judge(found("1.0", 11))],
    ["of one inside of another file", judge([1, killedAt(10, record("entered", 1))]).judge(found("1.0", 11))],
    ["of its other task", judge([1, killedAt(10, record("entered"))]).judge(found("1.1", 11))],
    ["without a name, when all had one", judge([1, killedAt(10, record("writes"))]).judge(found("", 11))],
  ])("is not explained: %s", (_, damage) => {
    expect(damage).toMatchObject({ check: "marker" });
  });

  it("without a name is of one who was killed when it was about to write it", () => {
    expect(judge([1, killedAt(10, record("entered"))]).judge(found("", 11))).toBeUndefined();
  });

  it("is found once, unless its finder was killed before it replaced it", () => {
    const twice = judge([1, killedAt(10, record("entered"))]);
    expect(twice.judge(found("1.0", 11))).toBeUndefined();
    expect(twice.judge(found("1.0", 12))).toMatchObject({ check: "marker" });

    const died = judge([1, killedAt(10, record("entered"))], [9, killedAt(12, record("entered"))]);
    expect(died.judge(found("1.0", 11))).toBeUndefined();
    expect(died.judge(found("1.0", 13, 8))).toBeUndefined();
  });

  it("instead of one's own is explained by nothing", () => {
    const finding: Finding = { ...found("1.0", 11), is: "instead of mine" };
    expect(judge([1, killedAt(10, record("entered"))]).judge(finding)).toMatchObject({ check: "marker" });
  });
});

describe("the counter", () => {
  it("says as many updates as were made, and of the open ones any number", () => {
    const records = [record("outside", 0, 3), record("writes", 0, 2)];
    for (const fine of [5, 6]) expect(judgeCounters([fine], records)).toEqual([]);
    for (const wrong of [4, 7]) expect(judgeCounters([wrong], records)).toMatchObject([{ check: "counter" }]);
  });

  it("is not excused by a kill elsewhere", () => {
    const records = [
      record("outside", 0, 3),
      record("entered", 0),
      record("wrote", 0, 1),
      record("writes", 1),
    ];
    expect(judgeCounters([4], records)).toEqual([]);
    for (const wrong of [3, 5]) expect(judgeCounters([wrong], records)).toMatchObject([{ check: "counter" }]);
  });
});

it("beside the session files nothing is left", () => {
  expect(judgeLeftovers(["s0.jsonl", "s1.jsonl"], 2)).toEqual([]);
  expect(judgeLeftovers(["s0.jsonl", "s0.jsonl.lock"], 1)).toMatchObject([{ check: "leftovers" }]);
});

it("a lock that was lost while it was held is damage, one of which nobody can say so is none", () => {
  const said = (what: string): string =>
    `(node:7) [SWL_LOST] SessionWriteLockWarning: session lock /s/s1.jsonl.lock ${what}\n(Use \`node --trace-warnings ...\`)\n`;
  const lost = said("was lost while it was held: our name was not there any more");
  const unread = said("may have been lost while it was held: what came back from it could not be read");
  expect(judgeWarnings(`${unread}${lost}`)).toEqual([{ check: "loss", what: lost.split("\n")[0] }]);
  expect(judgeWarnings(unread)).toEqual([]);
});
