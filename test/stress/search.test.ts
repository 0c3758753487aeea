/** The search loses no order: it says of every history what a search says that tries every order. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seededRandom } from "../support/random.mjs";
import { type Recorded, RUN_LIMIT_MS, recordRun, SEED } from "./fixture.ts";
import { historyOf } from "./history.ts";
import type { StepRecord, Trace } from "./records.ts";
import { type SearchReport, search, searchEveryOrder } from "./search.ts";
import { blurred } from "./tamper.ts";

/** So much of a run that a damage has consequences, and so little that every order can be tried. */
const WINDOW_STEPS = 200;
const DAMAGED = 30;

describe.each([
  ["PutBack", true],
  ["Drop", false],
])(`a run with %s, seed ${SEED}`, (_way, local) => {
  let run: Recorded;
  let trace: Trace;

  beforeAll(async () => {
    run = await recordRun({ processes: 3, tasks: 2, local }, { steps: 1_000 });
    trace = run.trace;
  }, RUN_LIMIT_MS);
  afterAll(() => run.remove());

  it("the beginning: a behaviour, also if less is known of the moments of its calls", () => {
    for (const some of [trace, blurred(trace, "begin"), blurred(trace, "end")]) {
      expect(answerOf(search(historyOf(some)))).toBe("a behaviour");
      expect(answerOf(searchEveryOrder(historyOf(beginning(some, 3 * WINDOW_STEPS))))).toBe("a behaviour");
    }
  });

  it(`${DAMAGED} damaged beginnings: refused at the same moment, or not at all`, () => {
    const random = seededRandom(SEED);
    const answers = new Set<string>();
    for (let i = 0; i < DAMAGED; i++) {
      const some = damaged(beginning(i % 2 === 0 ? trace : blurred(trace, "end"), WINDOW_STEPS), random);
      const history = historyOf(some);
      const answer = answerOf(search(history));
      expect(answer, `damage ${i}`).toBe(answerOf(searchEveryOrder(history)));
      answers.add(answer);
    }
    // Some are harmless, and the others are noticed at many moments: both searches were at work.
    expect(answers).toContain("a behaviour");
    expect(answers.size).toBeGreaterThan(DAMAGED / 10);
  });
});

function answerOf({ verdict }: SearchReport): string {
  if (verdict.ok) return "a behaviour";
  const { event } = verdict;
  return `refused at ${event.at}: ${event.is === "observed" ? event.proc : event.op.action}`;
}

/** What happened until then; nobody is known to have ended later. */
function beginning(trace: Trace, steps: number): Trace {
  const moments = trace.lives.flatMap(({ records }) => records.map(({ at }) => at)).sort((a, b) => a - b);
  const end = moments[steps] ?? Number.POSITIVE_INFINITY;
  const lives = trace.lives.map(({ endedAt, killedAt, ...life }) => ({
    ...life,
    ...(endedAt !== undefined && endedAt < end ? { endedAt } : {}),
    ...(killedAt !== undefined && killedAt < end ? { killedAt } : {}),
    records: life.records.filter(({ at }) => at < end),
  }));
  return { ...trace, lives };
}

/**
 * One record is another, or at another moment (between its neighbours: a process has one order), or gone (but a reply
 * is not: without it nothing follows).
 */
function damaged(trace: Trace, random: () => number): Trace {
  const all = trace.lives.flatMap(({ records }) => records);
  const victim = all[Math.floor(random() * all.length)];
  const what = random();
  const where = random();
  const other = (record: StepRecord, before: StepRecord | undefined, after: StepRecord | undefined) => {
    if (what < 0.3 && record.is !== "end") return [];
    if (what < 0.6 && record.is === "end") {
      return [{ ...record, reply: record.reply === "ok" ? "ENOTEMPTY" : "ok" }];
    }
    const from = before?.at ?? record.at - 1;
    const to = after?.at ?? record.at + 1;
    return [{ ...record, at: from + 1 + Math.floor(where * (to - from - 2)) }];
  };
  const lives = trace.lives.map((life) => ({
    ...life,
    records: life.records.flatMap((record, i, records) =>
      record === victim ? other(record, records[i - 1], records[i + 1]) : [record],
    ),
  }));
  return { ...trace, lives };
}
